/* SPDX-License-Identifier: MIT */
/* meminfo.h - files of the kind "Name: value", /proc/meminfo and /proc/self/status */
#ifndef HRESV_CORE_FACTS_MEMINFO_H
#define HRESV_CORE_FACTS_MEMINFO_H

#include "core/base/text.h"

/*
 * The rest of the line that begins with @name (colon included), trimmed.
 * 0, or -ENOENT when no complete line does: a line cut short may lie.
 */
int meminfo_text(struct span content, const char *name, struct span *ret_value);

/* The number there, in bytes where the kernel says "kB". -EBADMSG, -ERANGE, -ENOENT. */
int meminfo_u64(struct span content, const char *name, uint64_t *ret_value);

#endif
