/* A data set on disk for one test: a scratch folder, drawn pictures, text files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_DATA_FIXTURE_H
#define GN_TESTS_DATA_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIXTURE_PATH_BYTES 512

/* New scratch folder; `state` of a cmocka setup. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Absolute path of a file in the scratch folder; one of eight rotating static buffers. */
const char *fixture_path(void *const *state, const char *name);
/* Writes a text file, making its folders. */
void fixture_write(void *const *state, const char *name, const char *text);
void fixture_write_bytes(void *const *state, const char *name, const void *bytes, size_t n);
/* Draws coloured blocks, different for each seed, and writes a picture (.png .jpg by its name). */
void fixture_picture(void *const *state, const char *name, int width, int height, unsigned seed);
/* images/NAME.png of 64 x 48 and labels/NAME.txt for each of n pictures named PREFIX0 ..., one box each, and a data.yaml. */
void fixture_simple_set(void *const *state, const char *prefix, int n);
/* One member of a zip that a test writes: its bytes, or (file) those of a file of the scratch folder.  claims: bytes that the archive
 * says it holds when unpacked, 0: the truth; method: 0 stored, 8 deflate (the bytes are then taken for packed ones), else unknown. */
typedef struct fixture_member {
    const char *name;
    const char *file;
    const void *bytes;
    size_t n;
    uint32_t claims;
    uint16_t method;
    uint16_t flags; /* 1: encrypted */
} fixture_member;
void fixture_zip(void *const *state, const char *name, const fixture_member *members, size_t n);
/* A zip of every file under a folder of the scratch folder; names begin with `prefix`. */
void fixture_zip_folder(void *const *state, const char *name, const char *source, const char *prefix);

/* Folder of the real data, or NULL when it is not there. */
const char *fixture_real_data(void);

#endif
