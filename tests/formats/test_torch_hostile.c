/* Checkpoints that mean harm or are broken: nothing in them runs, each is refused in one line, and none takes more than 100 MB.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "format_fixture.h"
#include "formats/weights/weights.h"
#include "torch_builder.h"

#define GOLDEN       GN_SOURCE_DIR "/tests/golden/"
#define MEMORY_BYTES ((uint64_t)100000000)

/* Opens and reads everything; true: it could be opened. */
static bool read_all(const void *bytes, size_t n, gn_error *err)
{
    gn_weights *w = NULL;
    *err = (gn_error){0};
    if (gn_weights_open_bytes(bytes, n, "hostile.pth", NULL, &w, err) != GN_OK) {
        assert_null(w);
        assert_true(err->message[0] != '\0');
        return false;
    }
    for (size_t i = 0; i < gn_weights_count(w); i++) {
        gn_tensor *t = NULL;
        gn_error read_err = {0};
        assert_int_equal(gn_tensor_create(GN_DTYPE_F32, &gn_weights_at(w, i)->shape, &t), GN_OK);
        gn_weights_read(w, i, t, &read_err);
        gn_tensor_destroy(&t);
    }
    gn_weights_close(&w);
    return true;
}

/* Frees `file`. */
static void refused(gn_text file, gn_status status, const char *word)
{
    gn_error err;
    const bool is_open = read_all(file.data, file.len, &err);
    gn_text_deinit(&file);
    if (is_open || err.status != status || !strstr(err.message, word) || strchr(err.message, '\n'))
        fail_msg("%s \"%s\" was expected, found %s: %s", gn_status_name(status), word, gn_status_name(err.status),
                 is_open ? "it was read" : err.message);
    assert_true(gn_memory_stats_get().peak_bytes < MEMORY_BYTES);
}

static gn_text zip_of(gn_text body)
{
    static const float four[4] = {1, 2, 3, 4};
    gn_text pickle = pickle_dict(&body);
    return checkpoint_zip(&pickle, four, sizeof four);
}

static gn_text legacy_of(gn_text body, int64_t count)
{
    static const float four[4] = {1, 2, 3, 4};
    gn_text pickle = pickle_dict(&body);
    return checkpoint_legacy(&pickle, count, four, sizeof four);
}

static gn_text start(void)
{
    gn_text t;
    gn_text_init(&t);
    return t;
}

static gn_text tensor_body(const tensor_spec *spec)
{
    gn_text t = start();
    pickle_string(&t, "weight");
    pickle_tensor(&t, spec);
    return t;
}

static const tensor_spec good = {
    .type = "FloatStorage", .key = "0", .count = 4, .rank = 2, .shape = {2, 2}, .stride = {2, 1}};

/* The builders make files that are read: what is refused below is refused for its fault. */
static void test_sound(void **ctx)
{
    (void)ctx;
    gn_error err;
    gn_text zip = zip_of(tensor_body(&good)), legacy = legacy_of(tensor_body(&good), 4);
    if (!read_all(zip.data, zip.len, &err) || !read_all(legacy.data, legacy.len, &err))
        fail_msg("%s", err.message);
    gn_text_deinit(&zip);
    gn_text_deinit(&legacy);
}

/* Every way in which a pickle can ask for a class or function. */
static void test_other_names(void **ctx)
{
    (void)ctx;
    static const char *const names[][2] = {{"os", "system"},
                                           {"posix", "system"},
                                           {"builtins", "eval"},
                                           {"__builtin__", "exec"},
                                           {"subprocess", "Popen"},
                                           {"torch", "load"},
                                           {"torch.nn.modules.linear", "Linear"},
                                           {"numpy", "load"}};
    const char *marker = fixture_path("run_by_a_pickle");
    char command[600], word[128];
    snprintf(command, sizeof command, "touch %s", marker);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int form = 0; form < 5; form++) {
            gn_text t = start();
            pickle_string(&t, "x");
            if (form == 0) { /* REDUCE */
                pickle_global(&t, names[i][0], names[i][1]);
                pickle_string(&t, command);
                pickle_op(&t, "\x85R");
            } else if (form == 1) { /* STACK_GLOBAL, NEWOBJ */
                pickle_string(&t, names[i][0]);
                pickle_string(&t, names[i][1]);
                pickle_op(&t, "\x93");
                pickle_string(&t, command);
                pickle_op(&t, "\x85\x81");
            } else if (form == 2) { /* INST */
                pickle_op(&t, "(");
                pickle_string(&t, command);
                gn_text_printf(&t, "i%s\n%s\n", names[i][0], names[i][1]);
            } else if (form == 3) { /* OBJ */
                pickle_op(&t, "(");
                pickle_global(&t, names[i][0], names[i][1]);
                pickle_string(&t, command);
                pickle_op(&t, "o");
            } else { /* NEWOBJ_EX */
                pickle_global(&t, names[i][0], names[i][1]);
                pickle_string(&t, command);
                pickle_op(&t, "\x85}\x92");
            }
            snprintf(word, sizeof word, "asks for %s.%s, which is refused", names[i][0], names[i][1]);
            refused(form % 2 ? zip_of(t) : legacy_of(t, 4), GN_EUNSUPPORTED, word);
        }
    assert_false(gn_path_exists(marker));
    gn_text t = start(); /* the extension registry */
    pickle_string(&t, "x");
    pickle_op(&t, "\x82\x01");
    refused(zip_of(t), GN_EFORMAT, "no operation 0x82");
}

static void bad_tensor(tensor_spec spec, gn_status status, const char *word)
{
    refused(zip_of(tensor_body(&spec)), status, word);
    refused(legacy_of(tensor_body(&spec), 4), status, word);
}

static void test_tensors(void **ctx)
{
    (void)ctx;
    const int64_t huge = INT64_C(1) << 60;
    tensor_spec s = good;
    s.shape[0] = huge;
    bad_tensor(s, GN_EFORMAT, "outside its storage");
    s.stride[0] = s.stride[1] = 0; /* one element, seen 2^60 times */
    bad_tensor(s, GN_EFORMAT, "outside its storage");
    s = good;
    s.offset = -1;
    bad_tensor(s, GN_EFORMAT, "its place");
    s.offset = 1;
    bad_tensor(s, GN_EFORMAT, "outside its storage");
    s.offset = INT64_MAX;
    bad_tensor(s, GN_EFORMAT, "outside its storage");
    s = good;
    s.stride[0] = INT64_MAX;
    bad_tensor(s, GN_EFORMAT, "outside its storage");
    s.stride[0] = -2;
    bad_tensor(s, GN_EFORMAT, "stride");
    s = good;
    s.shape[1] = -2;
    bad_tensor(s, GN_EFORMAT, "shape");
    s = good;
    s.rank = 9;
    bad_tensor(s, GN_ELIMIT, "9 dimensions");
    s = good;
    s.type = "QInt8Storage";
    bad_tensor(s, GN_EUNSUPPORTED, "QInt8Storage");
    s.type = "device";
    bad_tensor(s, GN_EFORMAT, "no type");
    /* The storage claims more than there is. */
    s = good;
    s.count = huge;
    refused(zip_of(tensor_body(&s)), GN_EFORMAT, "16 bytes");
    refused(legacy_of(tensor_body(&s), huge), GN_EFORMAT, "truncated");
    refused(legacy_of(tensor_body(&s), 4), GN_EFORMAT, "4 elements here");
    s.count = -4;
    bad_tensor(s, GN_EFORMAT, "no size");
    s = good;
    s.key = "../../etc/passwd";
    refused(zip_of(tensor_body(&s)), GN_EFORMAT, "is missing");
    refused(legacy_of(tensor_body(&s), 4), GN_EFORMAT, "list of storages");
}

static void test_containers(void **ctx)
{
    (void)ctx;
    gn_error err;
    /* A list that holds itself, beside a tensor: read, and walked once. */
    gn_text t = tensor_body(&good);
    pickle_string(&t, "self");
    pickle_op(&t, "]q\x01(h\x01h\x01"
                  "e");
    gn_text file = zip_of(t);
    if (!read_all(file.data, file.len, &err))
        fail_msg("%s", err.message);
    gn_text_deinit(&file);
    /* Lists of lists of lists, each twice in the next: 2^25 paths. */
    t = start();
    pickle_string(&t, "x");
    pickle_op(&t, "]q\x01");
    for (int i = 1; i < 26; i++) {
        const char twice[] = {'0', ']', 'q', (char)(i + 1), '(', 'h', (char)i, 'h', (char)i, 'e', '\0'};
        pickle_op(&t, twice);
    }
    refused(zip_of(t), GN_EDATA, "no tensors");
    /* Deep nesting around a tensor. */
    t = start();
    pickle_string(&t, "x");
    for (int i = 0; i < 1000; i++)
        pickle_op(&t, "](");
    pickle_tensor(&t, &good);
    for (int i = 0; i < 1000; i++)
        pickle_op(&t, "e");
    refused(zip_of(t), GN_ELIMIT, "nested more than 32");
    /* Twice the same name. */
    t = tensor_body(&good);
    pickle_string(&t, "weight");
    pickle_tensor(&t, &good);
    refused(zip_of(t), GN_EDATA, "two tensors are named 'weight'");
    /* A name that would write on a terminal. */
    t = start();
    pickle_string(&t, "we\x1b[2Jight");
    pickle_tensor(&t, &good);
    refused(zip_of(t), GN_EFORMAT, "control characters");
}

/* A pickle of `ops` alone. */
static void bad_pickle(const char *ops, size_t n, gn_status status, const char *word)
{
    gn_text t = start();
    gn_text_add_bytes(&t, ops, n);
    refused(checkpoint_zip(&t, "", 0), status, word);
}
#define BAD(ops, status, word) bad_pickle(ops, sizeof ops - 1, status, word)

static void test_pickles(void **ctx)
{
    (void)ctx;
    BAD("", GN_EFORMAT, "ends too early");
    BAD(".", GN_EFORMAT, "no value on the stack");
    BAD("\x80\x09N.", GN_EUNSUPPORTED, "protocol 9");
    BAD("(.", GN_EFORMAT, "no value on the stack");
    BAD("Nu.", GN_EFORMAT, "no mark");
    BAD("N(NNu.", GN_EFORMAT, "no dict");
    BAD("}(Nu.", GN_EFORMAT, "no dict");
    BAD("N\x81.", GN_EFORMAT, "no value");
    BAD("NNR.", GN_EFORMAT, "no tuple");
    BAD("N)R.", GN_EFORMAT, "no function");
    BAD("NNb.", GN_EFORMAT, "attributes");
    BAD("h\x05.", GN_EFORMAT, "value 5");
    BAD("Nr\xff\xff\xff\x7f.", GN_ELIMIT, "remembered");
    BAD("X\xff\xff\xff\x7f"
        "abc.",
        GN_EFORMAT, "goes beyond its end");
    BAD("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
        "abc.",
        GN_EFORMAT, "goes beyond its end");
    BAD("\x8b\xff\xff\xff\xff"
        "abc.",
        GN_EFORMAT, "goes beyond its end");
    BAD("Pabc\n.", GN_EFORMAT, "not PyTorch's");
    BAD("(Q.", GN_EFORMAT, "no value");
    BAD("I12x\n.", GN_EFORMAT, "number");
    BAD("Sabc\n.", GN_EFORMAT, "quotes");
    BAD("\xff.", GN_EFORMAT, "no operation 0xff");
    BAD("N.", GN_EDATA, "no tensors");
    BAD("ccollections\nOrderedDict\nK\x01\x85R.", GN_EFORMAT, "no list");
    /* Much memory for few bytes: values that are remembered and put into a list again and again. */
    gn_text t = start();
    pickle_op(&t, "]");
    for (int i = 0; i < 3000000; i++)
        pickle_op(&t, "Na");
    pickle_op(&t, ".");
    refused(checkpoint_zip(&t, "", 0), GN_ELIMIT, "bytes of values");
    t = start();
    for (int i = 0; i < 2000000; i++)
        pickle_op(&t, "N");
    refused(checkpoint_zip(&t, "", 0), GN_ELIMIT, "on its stack");
}

static void test_zips(void **ctx)
{
    (void)ctx;
    static const char zeros[1000] = {0};
    gn_text body = tensor_body(&good), pickle = pickle_dict(&body);
    zip_entry entries[2] = {{.name = "archive/data.pkl", .data = pickle.data, .n = pickle.len},
                            {.name = "archive/data/0", .data = zeros, .n = 16}};
    entries[0].method = 8; /* compressed: nothing is unpacked */
    entries[0].claims = 4000000000;
    refused(zip_file(entries, 2, 0), GN_EUNSUPPORTED, "compressed");
    entries[0].method = 0; /* stored, but more than the file has */
    refused(zip_file(entries, 2, 0), GN_EFORMAT, "claims 4000000000 bytes");
    entries[0].claims = 0;
    entries[1].claims = 3000000000;
    refused(zip_file(entries, 2, 0), GN_EFORMAT, "claims 3000000000 bytes");
    entries[1].claims = 0;
    entries[1].method = 8;
    refused(zip_file(entries, 2, 0), GN_EUNSUPPORTED, "compressed");
    refused(zip_file(entries + 1, 1, 0), GN_EFORMAT, "no data.pkl");
    entries[1].method = 0;
    refused(zip_file(entries, 2, 60000), GN_EFORMAT, "zip");
    entries[1].name = "archive/constants.pkl";
    refused(zip_file(entries, 2, 0), GN_EUNSUPPORTED, "TorchScript");
    gn_text_deinit(&pickle);
    /* A directory of four thousand million entries, as the 64-bit record would have it. */
    gn_text t = start();
    gn_text_add(&t, "PK\3\4");
    gn_text_add_bytes(&t, zeros, 26);
    const size_t end = t.len;
    gn_text_add(&t, "PK\6\6");
    gn_text_add_bytes(&t, zeros, 28);
    gn_text_add_bytes(&t, "\xff\xff\xff\xff\0\0\0\0", 8);
    gn_text_add_bytes(&t, zeros, 16);
    gn_text_add(&t, "PK\6\7");
    gn_text_add_bytes(&t, zeros, 4);
    const char at = (char)end;
    gn_text_add_bytes(&t, &at, 1);
    gn_text_add_bytes(&t, zeros, 11);
    gn_text_add(&t, "PK\5\6");
    gn_text_add_bytes(&t, zeros, 4);
    gn_text_add(&t, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    gn_text_add_bytes(&t, zeros, 2);
    refused(t, GN_ELIMIT, "4294967295 entries");
}

/* Contents that changed after their checksum was made are noticed when they are read. */
static void test_checksum(void **ctx)
{
    (void)ctx;
    gn_weights *w = NULL;
    gn_error err = {0};
    gn_text file = zip_of(tensor_body(&good));
    static const float four[4] = {1, 2, 3, 4};
    char *data = NULL;
    for (size_t i = 0; i + sizeof four <= file.len && !data; i++)
        if (memcmp(file.data + i, four, sizeof four) == 0)
            data = file.data + i;
    assert_non_null(data);
    data[2] ^= 1;
    assert_int_equal(gn_weights_open_bytes(file.data, file.len, "x.pth", NULL, &w, &err), GN_OK);
    float got[4];
    gn_tensor t = gn_tensor_view(GN_DTYPE_F32, &gn_weights_at(w, 0)->shape, got);
    assert_int_equal(gn_weights_read(w, 0, &t, &err), GN_EFORMAT);
    assert_non_null(strstr(err.message, "archive/data/0"));
    gn_weights_close(&w);
    gn_text_deinit(&file);
}

static void test_foreign(void **ctx)
{
    (void)ctx;
    static const struct {
        const char *bytes;
        size_t n;
        const char *word;
    } cases[] = {{"", 0, "neither"},
                 {"PK", 2, "neither"},
                 {"\x08\x07\x12\x00", 4, "neither"},
                 {"\x80\x02]q\x00.", 6, "magic number"},
                 {"\x80\x02", 2, "ends too early"},
                 {"PK\3\4", 4, "zip file"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gn_text t = start();
        gn_text_add_bytes(&t, cases[i].bytes, cases[i].n);
        refused(t, GN_EFORMAT, cases[i].word);
    }
    gn_weights *w = NULL;
    gn_error err = {0};
    assert_int_equal(gn_weights_open(fixture_path("absent.pth"), NULL, &w, &err), GN_ENOENT);
    assert_int_equal(gn_weights_open(fixture_folder(), NULL, &w, &err), GN_EIO);
}

/* Every length, and every byte changed: refused or read, never more than that. */
static void test_damage(void **ctx)
{
    (void)ctx;
    static const char *const files[] = {"nested_legacy", "nested_zip", "views_legacy"};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        char path[512];
        char *bytes = NULL;
        size_t n = 0;
        gn_error err = {0};
        int n_read = 0;
        snprintf(path, sizeof path, GOLDEN "checkpoint_%s.pth", files[f]);
        assert_int_equal(gn_file_read(path, 1 << 20, &bytes, &n, &err), GN_OK);
        assert_true(read_all(bytes, n, &err));
        for (size_t i = 0; i < n; i++)
            assert_false(read_all(bytes, i, &err));
        for (size_t i = 0; i < n; i++) {
            bytes[i] ^= (char)(1 << i % 8);
            n_read += read_all(bytes, n, &err);
            bytes[i] ^= (char)(1 << i % 8);
        }
        assert_true(n_read > 0 && n_read < (int)n); /* contents may change; structure may not */
        gn_free(bytes);
    }
    assert_true(gn_memory_stats_get().peak_bytes < MEMORY_BYTES);
}

static int teardown(void **ctx)
{
    (void)ctx;
    fixture_remove_folder();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),      cmocka_unit_test(test_other_names), cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_containers), cmocka_unit_test(test_pickles),     cmocka_unit_test(test_zips),
        cmocka_unit_test(test_checksum),   cmocka_unit_test(test_foreign),     cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
