/* SPDX-License-Identifier: MIT */
/* real.h - the function behind a name that we interpose */
#ifndef HRESV_PRELOAD_REAL_H
#define HRESV_PRELOAD_REAL_H

#include <link.h>
#include <stdbool.h>

/*
 * The definition of @name behind ours, in the order in which the loader looks:
 * another preloaded library's, mostly libc's; or NULL. Takes no lock and allocates
 * nothing; for constructors, while no library is unloaded.
 */
void *real_behind(const char *name);

/*
 * What is read of these libraries is kept for this thread's next names, until told not to.
 * For the constructor; it also finds libc, while no library is unloaded.
 */
void real_keep(bool keep);

/*
 * The definition of @name in libc itself; no name whose definition is chosen by processor (IFUNC).
 * Takes no lock and allocates nothing; at any time.
 */
void *real_in_libc(const char *name);

/* The entry of one library's table that defines @name; NULL: it doesn't. */
const ElfW(Sym) *real_in(const struct link_map *map, const char *name);

#endif
