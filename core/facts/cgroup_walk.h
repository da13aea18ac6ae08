/* SPDX-License-Identifier: MIT */
/*
 * cgroup_walk.h - from this process' control group up to the highest visible one
 *
 * Knows where a controller lives (a v1 hierarchy, or v2) and which directory is
 * our group; knows nothing of what the files in it mean.
 */
#ifndef HRESV_CORE_FACTS_CGROUP_WALK_H
#define HRESV_CORE_FACTS_CGROUP_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/facts/reader.h"

struct cgroup_walk {
	bool absent;		/* the kernel has no such controller: nothing to walk */
	bool v2;
	/*
	 * A cgroup2 mount of ours charges huge pages to the memory controller.
	 * Not looked for in the true root, where nothing could come of it.
	 */
	bool memory_hugetlb;
	/*
	 * Nothing above us is out of sight, as far as walked: the mount shows the
	 * true root, the way from it to our group is known, each level was seen.
	 */
	bool complete;
	struct reader level;	/* its base is the directory of the present level */
	size_t top_bytes;	/* of that base: the mount point, the last level */
	bool ended;
};

/*
 * Starts at our own group in the hierarchy of @controller ("hugetlb", "memory").
 * Where our group cannot be found below the mount, at the mount's top; where
 * there is no mount, past the end. To be closed with cgroup_walk_close().
 * 0; -errno of reading /proc/self/cgroup or mountinfo; -ENOMEM.
 */
int cgroup_walk_open(struct cgroup_walk *walk, const char *root, const char *controller);
void cgroup_walk_close(struct cgroup_walk *walk);

/* False when there is no level left. */
bool cgroup_walk_here(const struct cgroup_walk *walk);
/* On to the parent, or past the end. */
void cgroup_walk_up(struct cgroup_walk *walk);

/*
 * A limit file of the present level: UINT64_MAX for "max" and above 2^62.
 * *ret_found is false when the level has no such file. What can't be read or
 * understood counts as not found and ends the walk's completeness. 0 or -ENOMEM.
 */
int cgroup_walk_limit(struct cgroup_walk *walk, const char *name, const char *suffix,
		      uint64_t *ret_limit, bool *ret_found);

/*
 * A number of the present level: all of the file, or the line that begins with
 * @key unless that is "". 0; -errno of open(2) or read(2); -ENOENT no such line;
 * -EBADMSG; -ERANGE; -ENOMEM.
 */
int cgroup_walk_number(struct cgroup_walk *walk, const char *name, const char *suffix,
		       const char *key, uint64_t *ret_value);

/* The directory of the present level, without the root it was read under. */
struct span cgroup_walk_directory(const struct cgroup_walk *walk);

#endif
