/* SPDX-License-Identifier: MIT */
/* mountinfo.h - the lines of /proc/self/mountinfo (proc_pid_mountinfo(5)) */
#ifndef HRESV_CORE_FACTS_MOUNTINFO_H
#define HRESV_CORE_FACTS_MOUNTINFO_H

#include <stdbool.h>

#include "core/base/text.h"

/* Spans into the file: still escaped as the kernel wrote them. */
struct mountinfo {
	struct span device;	/* major:minor */
	struct span root;	/* which directory of the file system is mounted */
	struct span point;	/* where */
	struct span options;	/* of this mount: rw, relatime */
	struct span fstype;
	struct span super;	/* options of the file system: pagesize=2M */
};

/*
 * Cuts the next mount off @rest; lines that are none are passed over. A last
 * line without its newline was cut short and is not believed.
 */
bool mountinfo_next(struct span *rest, struct mountinfo *ret_mount);

/* True when a mount in @later lies over the directory of @m. */
bool mountinfo_hidden(const struct mountinfo *m, struct span later);

/* True when the file ends as the kernel ends it; else mounts may be missing. */
bool mountinfo_whole(struct span content);

/*
 * Looks @name up in an option list: 0 and its value (empty for a bare word), or
 * -ENOENT.
 */
int mountinfo_option(struct span options, const char *name, struct span *ret_value);

#endif
