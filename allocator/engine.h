/* SPDX-License-Identifier: MIT */
/*
 * engine.h - jemalloc's public functions, under the names they have in here
 *
 * The Makefile gives the archive's public names the prefix je_, so that ours are
 * the only malloc and free. Its header declares them so when it is told not to
 * rename. Nothing of jemalloc's insides is used.
 */
#ifndef HRESV_ALLOCATOR_ENGINE_H
#define HRESV_ALLOCATOR_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#define JEMALLOC_NO_RENAME
#include <jemalloc/jemalloc.h>

/*
 * Its fork handlers, which take all its locks and drop or renew them. False: it never
 * started, and the other two must not be called.
 */
bool engine_fork_prepare(void);
void engine_fork_parent(void);
void engine_fork_child(void);

/* Read after MALLOC_CONF; the header has no name for it. */
extern const char *je_malloc_conf_2_conf_harder;

#endif
