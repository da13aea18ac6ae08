/* SPDX-License-Identifier: MIT */
/* real.h - the function behind a name that we interpose */
#ifndef HRESV_PRELOAD_REAL_H
#define HRESV_PRELOAD_REAL_H

/*
 * libc's own definition of @name, or NULL. Takes no
 * lock and allocates nothing; for constructors, while no library is unloaded.
 */
void *real_in_libc(const char *name);

#endif
