# Turns a file into a C array, NUL-terminated, so that the program carries it.
#   cmake -DIN=page.css -DOUT=page_css.c -DNAME=gn_page_css -P embed.cmake
# defines `const unsigned char NAME[]` and `const unsigned long NAME_bytes` (the NUL not counted).
# SPDX-License-Identifier: Apache-2.0
file(READ "${IN}" hex HEX)
string(REGEX REPLACE "(................................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
get_filename_component(file "${IN}" NAME)
file(WRITE "${OUT}.tmp" "/* Made from ${file}; edit that file instead. */
extern const unsigned char ${NAME}[];
extern const unsigned long ${NAME}_bytes;
const unsigned char ${NAME}[] = {
${hex}0x00};
const unsigned long ${NAME}_bytes = sizeof ${NAME} - 1;
")
file(RENAME "${OUT}.tmp" "${OUT}")
