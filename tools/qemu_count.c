/* Plugin for qemu-aarch64 (user mode, plugin interface 1 of QEMU 4.2 to 8.2): counts the instructions that a program executes, by kind.
 *     cc -O2 -shared -fPIC tools/qemu_count.c -o qemu_count.so
 *     qemu-aarch64 -cpu cortex-a57 -plugin ./qemu_count.so,out=counts.csv[,places=on] PROGRAM ...
 * counts.csv gets one line "kind,count" per kind; places=on adds a line "at,ADDRESS,count,FMA" for each block of code that ran, for finding
 * out where they are.  Instructions of one thread are counted exactly, those of several nearly.
 * The kinds are read from the encodings: Arm Architecture Reference Manual for A-profile, chapter C4.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the part of the plugin interface that is used; Debian ships no header for it ---- */

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
typedef void (*qemu_plugin_vcpu_tb_trans_cb_t)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*qemu_plugin_udata_cb_t)(qemu_plugin_id_t id, void *userdata);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, qemu_plugin_vcpu_tb_trans_cb_t cb);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, enum qemu_plugin_op op, void *ptr,
                                              uint64_t imm);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, qemu_plugin_udata_cb_t cb, void *userdata);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t idx);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);

#define EXPORT __attribute__((visibility("default")))
EXPORT extern int qemu_plugin_version;
EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv);

/* ---- kinds ---- */

/* fma: fused multiply-adds on vectors of f32; fma_lanes: the numbers that they add, 4 or 2 each (no instructions of their own);
 * vector: other arithmetic on vector and floating-point registers; the rest as named. */
enum kind { FMA, VECTOR, LOAD, STORE, PREFETCH, BRANCH, INTEGER, N_KINDS };
static const char *const kind_names[N_KINDS] = {"fma", "vector", "load", "store", "prefetch", "branch", "integer"};

static bool is_fma(uint32_t code)
{
    const bool is_by_lane = (code & 0xBFC0B400) == 0x0F801000; /* FMLA, FMLS (by element), single precision */
    const bool is_whole = (code & 0xBF60FC00) == 0x0E20CC00;   /* FMLA, FMLS (vector), single precision */
    return is_by_lane || is_whole;
}

static enum kind kind_of(uint32_t code)
{
    const uint32_t group = code >> 25 & 0xF;
    if (is_fma(code))
        return FMA;
    if ((group & 5) == 4) {
        const bool is_vector = code >> 26 & 1;
        if ((code & 0x3B000000) == 0x18000000) /* of an address in the code */
            return !is_vector && code >> 30 == 3 ? PREFETCH : LOAD;
        if (!is_vector && code >> 30 == 3 && (code & 0x38000000) == 0x38000000 && (code >> 22 & 3) == 2)
            return PREFETCH;
        const bool is_register = (code & 0x38000000) == 0x38000000;
        return (is_register ? (is_vector ? code >> 22 & 1 : code >> 22 & 3) : code >> 22 & 1) ? LOAD : STORE;
    }
    if ((group & 7) == 7)
        return VECTOR;
    return (group & 14) == 10 ? BRANCH : INTEGER;
}

/* ---- counting: per block of code how often it ran ---- */

typedef struct block {
    struct block *next;
    uint64_t runs, address;
    uint32_t n[N_KINDS], lanes;
} block;

static block *blocks;
static char out_path[4096] = "qemu_count.csv";
static bool has_places;

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    block *b = calloc(1, sizeof *b);
    if (!b)
        abort();
    b->address = qemu_plugin_tb_vaddr(tb);
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        uint32_t code;
        memcpy(&code, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, i)), sizeof code);
        const enum kind kind = kind_of(code);
        b->n[kind]++;
        if (kind == FMA)
            b->lanes += code >> 30 & 1 ? 4 : 2;
    }
    b->next = blocks;
    blocks = b;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &b->runs, 1);
}

static void write_places(FILE *file)
{
    for (const block *b = blocks; b; b = b->next) {
        uint64_t n = 0;
        for (int i = 0; i < N_KINDS; i++)
            n += b->n[i];
        if (b->runs > 0)
            fprintf(file, "at,%" PRIx64 ",%" PRIu64 ",%" PRIu64 "\n", b->address, b->runs * n, b->runs * b->n[FMA]);
    }
}

static void on_exit_of_program(qemu_plugin_id_t id, void *userdata)
{
    (void)id;
    (void)userdata;
    uint64_t n[N_KINDS] = {0}, lanes = 0, total = 0;
    for (const block *b = blocks; b; b = b->next) {
        for (int i = 0; i < N_KINDS; i++)
            n[i] += b->runs * b->n[i];
        lanes += b->runs * b->lanes;
    }
    FILE *file = fopen(out_path, "w");
    if (!file) {
        perror(out_path);
        return;
    }
    for (int i = 0; i < N_KINDS; i++) {
        fprintf(file, "%s,%" PRIu64 "\n", kind_names[i], n[i]);
        total += n[i];
    }
    fprintf(file, "all,%" PRIu64 "\nfma_lanes,%" PRIu64 "\n", total, lanes);
    if (has_places)
        write_places(file);
    fclose(file);
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0)
            snprintf(out_path, sizeof out_path, "%s", argv[i] + 4);
        else if (strcmp(argv[i], "places=on") == 0)
            has_places = true;
        else {
            fprintf(stderr, "qemu_count: unknown option \"%s\"; expected out=FILE or places=on\n", argv[i]);
            return -1;
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit_of_program, NULL);
    return 0;
}
