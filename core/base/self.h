/* SPDX-License-Identifier: MIT */
/*
 * self.h - is this the process our records speak of?
 *
 * A child made by a system call of its own (no libc, no handlers of ours) has a
 * copy of all our records: locks held by threads that aren't there, descriptors
 * that act on its parent's memory. One page that the kernel wipes in every copy
 * of the address space tells; processes that share it (vfork) see no difference.
 */
#ifndef HRESV_CORE_BASE_SELF_H
#define HRESV_CORE_BASE_SELF_H

#include <stdbool.h>

/* From now on a copy can be told. Repeated calls are cheap; also in a known child. */
void self_mark(void);

/* True in a copy that nobody has marked yet. One load. */
bool self_is_copy(void);

#endif
