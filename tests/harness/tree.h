/* SPDX-License-Identifier: MIT */
/*
 * tree.h - a directory of the test's own, gone after it
 *
 * What reads /proc and /sys takes the root it reads under: a test builds one here.
 */
#ifndef HRESV_TESTS_HARNESS_TREE_H
#define HRESV_TESTS_HARNESS_TREE_H

#include <stddef.h>

/* A new empty directory; the path, for the caller to copy if it makes another. */
const char *tree_make(void);

/* Write root/path, making the directories above it. Replaces what was there. */
void tree_write(const char *root, const char *path, const char *text);
void tree_write_bytes(const char *root, const char *path, const void *data, size_t bytes);
void tree_mkdir(const char *root, const char *path);

#endif
