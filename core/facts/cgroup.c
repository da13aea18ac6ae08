/* SPDX-License-Identifier: MIT */
/*
 * cgroup.c - hugetlb limits and memory accounting of the groups above us
 *
 * The way up is cgroup_walk's; here is what the files in each group mean.
 */
#include "core/facts/cgroup.h"

#include <errno.h>
#include <string.h>

#include "core/base/align.h"
#include "core/facts/cgroup_walk.h"

/* Names behind "hugetlb.<size>", in one version, for one kind of limit. */
struct files {
	char limit[24], usage[24], refused[20], key[8];
};

static const struct files fault_v1 = { ".limit_in_bytes", ".usage_in_bytes", ".failcnt", "" };
static const struct files rsvd_v1 = { ".rsvd.limit_in_bytes", ".rsvd.usage_in_bytes",
				      ".rsvd.failcnt", "" };
static const struct files fault_v2 = { ".max", ".current", ".events", "max " };
static const struct files rsvd_v2 = { ".rsvd.max", ".rsvd.current", ".events", "max " };

#define NAME_BYTES 40

/* As hugetlb_cgroup_file_init() in the kernel writes it: hugetlb.2MB. */
static void name_of_size(size_t page_bytes, char name[NAME_BYTES])
{
	const unsigned unit = page_bytes >= GIB ? 30 : page_bytes >= MIB ? 20 : 10;
	size_t number = page_bytes >> unit;
	char digits[20];
	size_t n = sizeof(digits), bytes = 0;

	do
		digits[--n] = (char)('0' + number % 10);
	while (number /= 10);
	memcpy(name, "/hugetlb.", 9);
	bytes = 9;
	memcpy(name + bytes, digits + n, sizeof(digits) - n);
	bytes += sizeof(digits) - n;
	memcpy(name + bytes, unit == 30 ? "GB" : unit == 20 ? "MB" : "KB", 3);
}

static void show_path(const struct cgroup_walk *walk, char path[CGROUP_PATH_SHOWN])
{
	struct span directory = cgroup_walk_directory(walk);
	size_t bytes = directory.bytes;

	if (bytes > CGROUP_PATH_SHOWN - 1)
		bytes = CGROUP_PATH_SHOWN - 1;
	memcpy(path, directory.at, bytes);
	path[bytes] = '\0';
}

/* Takes this level's limit into @tightest when it leaves less room. */
static int consider(struct cgroup_walk *walk, const char *name, const struct files *files,
		    bool *controlled, struct cgroup_limit *tightest)
{
	struct cgroup_limit here = { .limit = CGROUP_UNLIMITED };
	bool found;
	int err = cgroup_walk_limit(walk, name, files->limit, &here.limit, &found);

	if (err || !found)
		return err;
	*controlled = true;
	if (here.limit == CGROUP_UNLIMITED)
		return 0;
	err = cgroup_walk_number(walk, name, files->usage, "", &here.usage);
	if (err)
		return err;
	here.room = here.limit > here.usage ? here.limit - here.usage : 0;
	if (here.room >= tightest->room)
		return 0;
	/* How often it refused only tells people something: 0 will do. */
	err = cgroup_walk_number(walk, name, files->refused, files->key, &here.refused);
	if (err == -ENOMEM)
		return err;
	show_path(walk, here.path);
	*tightest = here;
	return 0;
}

static int read_levels(struct cgroup_walk *walk, const char *name, struct cgroup_hugetlb *groups)
{
	int err = 0;

	for (; cgroup_walk_here(walk) && !err; cgroup_walk_up(walk)) {
		err = consider(walk, name, walk->v2 ? &fault_v2 : &fault_v1, &groups->controlled,
			       &groups->fault);
		if (!err)
			err = consider(walk, name, walk->v2 ? &rsvd_v2 : &rsvd_v1,
				       &groups->controlled, &groups->rsvd);
	}
	return err;
}

int cgroup_read_hugetlb(const char *root, size_t page_bytes, struct cgroup_hugetlb *ret_groups)
{
	struct cgroup_hugetlb groups = {
		.fault = { .limit = CGROUP_UNLIMITED, .room = CGROUP_UNLIMITED },
		.rsvd = { .limit = CGROUP_UNLIMITED, .room = CGROUP_UNLIMITED },
	};
	char name[NAME_BYTES];
	struct cgroup_walk walk;
	int err = cgroup_walk_open(&walk, root, "hugetlb");

	if (err)
		return err;
	name_of_size(page_bytes, name);
	if (!walk.absent)
		err = read_levels(&walk, name, &groups);
	groups.complete = walk.absent || walk.complete;
	cgroup_walk_close(&walk);
	if (!err)
		*ret_groups = groups;
	return err;
}

static int visit(struct cgroup_walk *walk, const char *name, const struct files *files,
		 cgroup_limit_fn fn, void *arg)
{
	uint64_t limit = CGROUP_UNLIMITED, usage;
	struct blob *path = &walk->level.base;
	const size_t directory_bytes = path->bytes;
	bool found;
	int err = cgroup_walk_limit(walk, name, files->limit, &limit, &found);

	if (err || !found || limit == CGROUP_UNLIMITED)
		return err;
	err = cgroup_walk_number(walk, name, files->usage, "", &usage);
	if (!err)
		err = blob_text(path, name);
	if (!err)
		err = blob_text(path, files->usage);
	if (!err)
		err = fn(path->at, limit > usage ? limit - usage : 0, arg);
	blob_cut(path, directory_bytes);
	return err;
}

int cgroup_each_limit(const char *root, size_t page_bytes, cgroup_limit_fn fn, void *arg)
{
	char name[NAME_BYTES];
	struct cgroup_walk walk;
	int err = cgroup_walk_open(&walk, root, "hugetlb");

	if (err)
		return err;
	name_of_size(page_bytes, name);
	for (; !walk.absent && cgroup_walk_here(&walk) && !err; cgroup_walk_up(&walk)) {
		err = visit(&walk, name, walk.v2 ? &fault_v2 : &fault_v1, fn, arg);
		if (!err)
			err = visit(&walk, name, walk.v2 ? &rsvd_v2 : &rsvd_v1, fn, arg);
	}
	cgroup_walk_close(&walk);
	return err;
}

int cgroup_charges_memory(const char *root, bool *ret_charged)
{
	struct cgroup_walk walk;
	bool limited = false;
	int err = cgroup_walk_open(&walk, root, "memory");

	if (err)
		return err;
	if (!walk.v2 || !walk.memory_hugetlb || walk.absent) {
		cgroup_walk_close(&walk);
		*ret_charged = false;
		return 0;
	}
	for (; cgroup_walk_here(&walk) && !err; cgroup_walk_up(&walk)) {
		uint64_t limit = UINT64_MAX;
		bool found;

		err = cgroup_walk_limit(&walk, "/memory", ".max", &limit, &found);
		limited |= !err && found && limit != UINT64_MAX;
	}
	limited |= !walk.complete;
	cgroup_walk_close(&walk);
	if (!err)
		*ret_charged = limited;
	return err;
}
