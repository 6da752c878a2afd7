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
/* Folder of the real data, or NULL when it is not there. */
const char *fixture_real_data(void);

#endif
