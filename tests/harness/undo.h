/* SPDX-License-Identifier: MIT */
/*
 * undo.h - putting the machine back, whatever happened to the test
 *
 * A test that is about to change something outside itself first says how to undo
 * it. The log is in memory shared with the harness, which plays it backwards when
 * the test has ended, however it ended. Harness modules (pool, cgroup, mount, tree)
 * call these; tests may.
 */
#ifndef HRESV_TESTS_HARNESS_UNDO_H
#define HRESV_TESTS_HARNESS_UNDO_H

#include <stdbool.h>

/* Write to @path what it holds now. False when it cannot be read. */
bool undo_write(const char *path);
/* Write @text to @path. */
void undo_write_text(const char *path, const char *text);
/* Kill what is in this cgroup and remove it. */
void undo_cgroup(const char *path);
void undo_umount(const char *path);
/* Remove a directory with all that is in it, on its file system. */
void undo_tree(const char *path);
/* Remove a System V segment. */
void undo_segment(int id);

/* The harness's: undo all, last first; what failed is printed. True if nothing did. */
bool undo_all(void);

#endif
