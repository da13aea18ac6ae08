/* SPDX-License-Identifier: MIT */
/* real.h - the function behind a name that we interpose */
#ifndef HRESV_PRELOAD_REAL_H
#define HRESV_PRELOAD_REAL_H

/*
 * The definition of @name behind ours, in the order in which the loader looks:
 * another preloaded library's, mostly libc's; or NULL. Takes no lock and allocates
 * nothing; for constructors, while no library is unloaded.
 */
void *real_behind(const char *name);

#endif
