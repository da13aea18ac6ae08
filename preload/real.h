/* SPDX-License-Identifier: MIT */
/* real.h - the function behind a name that we interpose */
#ifndef HRESV_PRELOAD_REAL_H
#define HRESV_PRELOAD_REAL_H

#include <link.h>

/*
 * The definition of @name behind ours, in the order in which the loader looks:
 * another preloaded library's, mostly libc's; or NULL. Takes no lock and allocates
 * nothing; for constructors, while no library is unloaded.
 */
void *real_behind(const char *name);

/* The entry of one library's table that defines @name; NULL: it doesn't. */
const ElfW(Sym) *real_in(const struct link_map *map, const char *name);

#endif
