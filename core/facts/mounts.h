/* SPDX-License-Identifier: MIT */
/* mounts.h - hugetlbfs mounts, with their quota and minimum */
#ifndef HRESV_CORE_FACTS_MOUNTS_H
#define HRESV_CORE_FACTS_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/mem.h"

struct hugetlbfs_mount {
	const char *path;	/* unescaped, zero-terminated; owned by the list */
	size_t page_bytes;	/* pagesize=, 0: not shown, statfs(2) knows */
	uint64_t quota_bytes;	/* size=, UINT64_MAX: none, 0 also: unreadable */
	uint64_t min_bytes;	/* min_size=, 0: none */
	bool read_only;
};

/* As statfs(2) tells a hugetlbfs (HUGETLBFS_MAGIC). */
#define MOUNT_HUGETLBFS 0x958458f6u

/* A growing list; { 0 } is empty. */
struct mount_list {
	struct blob entries;	/* struct hugetlbfs_mount[] */
	struct blob names;	/* the paths, one behind the other */
};

/**
 * mounts_read - every hugetlbfs mount this process can see, in mount order
 *
 * A mount whose directory was mounted over later is left out. That is a hint:
 * only mount_room_read() knows what lies at a path now.
 *
 * @root:     prefix of the path read
 * @ret_list: untouched on failure; to be freed with mounts_free
 *
 * Source: /proc/self/mountinfo (proc_pid_mountinfo(5)): octal escapes resolved,
 * lines of any length, optional fields of any number; pagesize=, size= and
 * min_size= from the super options. The kernel shows bytes there, whatever unit
 * or percentage the mount was made with. An empty file is an empty list.
 * Return: 0 (an empty list too), -errno of open(2) or read(2), -ENOMEM.
 */
int mounts_read(const char *root, struct mount_list *ret_list);
size_t mounts_count(const struct mount_list *list);
const struct hugetlbfs_mount *mounts_at(const struct mount_list *list, size_t index);
void mounts_free(struct mount_list *list);

/* What statfs(2) says of a hugetlbfs directory. */
struct mount_room {
	size_t page_bytes;
	uint64_t quota_pages;	/* UINT64_MAX: none. size=0 looks like none too */
	uint64_t free_pages;	/* of the quota; UINT64_MAX without one */
};

/**
 * mount_room_read - page size and quota of the hugetlbfs that holds @path
 * Return: 0; -ENODEV: it is not hugetlbfs; -errno of statfs(2).
 */
int mount_room_read(const char *path, struct mount_room *ret_room);

/**
 * mount_may_have_minimum - is min_size= set on the hugetlbfs that holds @path?
 * Source: statfs(2), which tells it where there is no quota; /proc/self/mountinfo.
 * True also where that can't be read, and of what is no directory.
 */
bool mount_may_have_minimum(const char *path);

#endif
