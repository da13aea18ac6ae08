/* SPDX-License-Identifier: MIT */
/*
 * mounts.c - hugetlbfs mounts and the room in them
 *
 * The names of a list lie in one buffer that may move while it grows, so
 * entries hold offsets until the list is complete.
 */
#include "core/facts/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "core/base/align.h"
#include "core/base/sys.h"
#include "core/base/text.h"
#include "core/facts/mountinfo.h"

static size_t size_option(const struct mountinfo *m, const char *name, size_t absent)
{
	struct span text;
	size_t bytes = 0;

	if (mountinfo_option(m->super, name, &text))
		return absent;
	return text_size(text, &bytes) ? 0 : bytes;
}

static int add_name(struct blob *names, struct span escaped, size_t *ret_offset)
{
	const size_t offset = names->bytes;
	int err = blob_reserve(names, escaped.bytes + 1);

	if (err)
		return err;
	names->bytes += text_unescape(escaped, names->at + offset) + 1;
	*ret_offset = offset;
	return 0;
}

static int add_mount(struct mount_list *list, const struct mountinfo *m)
{
	struct hugetlbfs_mount entry = {
		.page_bytes = size_option(m, "pagesize", 0),
		.quota_bytes = size_option(m, "size", SIZE_MAX),
		.min_bytes = size_option(m, "min_size", 0),
	};
	struct span none;
	size_t offset;
	int err = add_name(&list->names, m->point, &offset);

	if (err)
		return err;
	if (!is_power_of_two(entry.page_bytes))
		entry.page_bytes = 0;
	entry.read_only = mountinfo_option(m->options, "ro", &none) == 0 ||
			  mountinfo_option(m->super, "ro", &none) == 0;
	entry.path = (const char *)(uintptr_t)offset;
	return blob_add(&list->entries, &entry, sizeof(entry));
}

static struct hugetlbfs_mount *entries_of(const struct mount_list *list)
{
	return (struct hugetlbfs_mount *)(void *)list->entries.at;
}

static int add_all(struct span mountinfo, struct mount_list *list)
{
	struct mountinfo m;

	while (mountinfo_next(&mountinfo, &m)) {
		if (!span_equal(m.fstype, "hugetlbfs") || mountinfo_hidden(&m, mountinfo))
			continue;

		int err = add_mount(list, &m);

		if (err)
			return err;
	}
	for (size_t i = 0; i < mounts_count(list); i++)
		entries_of(list)[i].path = list->names.at + (uintptr_t)entries_of(list)[i].path;
	return 0;
}

int mounts_read(const char *root, struct mount_list *ret_list)
{
	struct mount_list list = { 0 };
	struct blob content = { 0 };
	int err = blob_read_under(root, "/proc/self/mountinfo", &content);

	if (err)
		return err;
	err = add_all((struct span){ content.at, content.bytes }, &list);
	blob_free(&content);
	if (err)
		mounts_free(&list);
	else
		*ret_list = list;
	return err;
}

size_t mounts_count(const struct mount_list *list)
{
	return list->entries.bytes / sizeof(struct hugetlbfs_mount);
}

const struct hugetlbfs_mount *mounts_at(const struct mount_list *list, size_t index)
{
	return index < mounts_count(list) ? &entries_of(list)[index] : NULL;
}

void mounts_free(struct mount_list *list)
{
	blob_free(&list->entries);
	blob_free(&list->names);
}

/* f_blocks is 0 without any limit and -1 with a minimum but no quota. */
static int room_of(long result, const struct statfs *fs, struct mount_room *ret_room)
{
	bool quota;

	if (result < 0)
		return (int)result;
	if ((uint32_t)fs->f_type != MOUNT_HUGETLBFS)
		return -ENODEV;
	quota = (int64_t)fs->f_blocks > 0;
	*ret_room = (struct mount_room){
		.page_bytes = (size_t)fs->f_bsize,
		.quota_pages = quota ? fs->f_blocks : UINT64_MAX,
		.free_pages = quota ? fs->f_bfree : UINT64_MAX,
	};
	return 0;
}

int mount_room_read(const char *path, struct mount_room *ret_room)
{
	struct statfs fs = { 0 };

	return room_of(sys_statfs(path, &fs), &fs, ret_room);
}

static int device_of(const char *path, dev_t *ret_device)
{
	long fd = sys_openat(AT_FDCWD, path, O_PATH, 0), err;
	struct stat st;

	if (sys_failed(fd))
		return (int)fd;
	err = sys_fstat((int)fd, &st);
	sys_close((int)fd);
	if (!err)
		*ret_device = st.st_dev;
	return (int)err;
}

static bool is_device(struct span text, dev_t device)
{
	struct span major_part;
	uint64_t major_nr, minor_nr;

	return span_next_field(&text, ':', &major_part) && text_u64(major_part, &major_nr) == 0 &&
	       text_u64(text, &minor_nr) == 0 && major_nr == major(device) && minor_nr == minor(device);
}

static bool device_has_minimum(struct span mountinfo, dev_t device)
{
	struct mountinfo m;

	while (mountinfo_next(&mountinfo, &m))
		if (span_equal(m.fstype, "hugetlbfs") && is_device(m.device, device))
			return size_option(&m, "min_size", 0) != 0;
	return true;
}

bool mount_may_have_minimum(const char *path)
{
	struct blob content = { 0 };
	struct statfs fs = { 0 };
	dev_t device;
	bool has;

	if (sys_statfs(path, &fs) != 0)
		return true;
	if ((int64_t)fs.f_blocks <= 0)
		return fs.f_blocks != 0;
	if (device_of(path, &device) != 0 || blob_read_file("/proc/self/mountinfo", &content) != 0)
		return true;
	has = device_has_minimum((struct span){ content.at, content.bytes }, device);
	blob_free(&content);
	return has;
}
