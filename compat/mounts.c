/* SPDX-License-Identifier: MIT */
/*
 * mounts.c - directories on hugetlbfs, and files without a name in them
 *
 * HUGETLB_PATH first and alone when it is set; else the mounts of this process, in
 * their order, lines of any length, the first we may write to. Read anew each time: mounts
 * come and go.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "compat/compat.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/facts/conf.h"
#include "core/facts/mounts.h"

/* A path that was answered stays valid: what programs do with it is unknown. */
struct path {
	struct path *next;
	char text[];
};

static struct path *paths;

static const char *keep(const char *text)
{
	struct path *first = __atomic_load_n(&paths, __ATOMIC_ACQUIRE), *mine;
	const size_t bytes = strlen(text) + 1;

	for (struct path *p = first; p; p = p->next)
		if (strcmp(p->text, text) == 0)
			return p->text;
	mine = mem_pages(sizeof(*mine) + bytes);
	if (!mine)
		return NULL;
	memcpy(mine->text, text, bytes);
	do
		mine->next = first;
	while (!__atomic_compare_exchange_n(&paths, &first, mine, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_ACQUIRE));
	return mine->text;
}

static bool fits(const char *path, long page_bytes)
{
	struct mount_room room;

	return mount_room_read(path, &room) == 0 && (long)room.page_bytes == page_bytes &&
	       sys_faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK) == 0;
}

/* @field as a string behind what is in @b, unescaped; NULL: no memory. */
static const char *string_of(struct blob *b, struct span field)
{
	blob_cut(b, 0);
	if (blob_reserve(b, field.bytes + 1) != 0)
		return NULL;
	b->bytes = text_unescape(field, b->at);
	return b->at;
}

static const char *find_in_list(const char *list, long page_bytes)
{
	struct span rest = span_of(list), field;
	struct blob b = { 0 };
	const char *found = NULL;

	while (!found && span_next_field(&rest, ':', &field)) {
		blob_cut(&b, 0);
		if (field.bytes && blob_add(&b, field.at, field.bytes) == 0 &&
		    blob_add(&b, "", 1) == 0 && fits(b.at, page_bytes))
			found = keep(b.at);
	}
	blob_free(&b);
	return found;
}

static const char *find_in_mounts(long page_bytes)
{
	struct blob mounts, b = { 0 };
	struct span rest, line, device, point, type;
	const char *found = NULL, *path;

	if (compat_read_file("/proc/mounts", &mounts) != 0)
		return NULL;
	rest = (struct span){ mounts.at, mounts.bytes };
	while (!found && span_next_line(&rest, &line)) {
		if (!span_next_word(&line, &device) || !span_next_word(&line, &point) ||
		    !span_next_word(&line, &type) || !span_equal(type, "hugetlbfs"))
			continue;
		path = string_of(&b, point);
		if (path && fits(path, page_bytes))
			found = keep(path);
	}
	blob_free(&b);
	blob_free(&mounts);
	return found;
}

/* 1: on hugetlbfs; 0: not; -1: it can't be looked at (errno). */
COMPAT_API int hugetlbfs_test_path(const char *mount)
{
	struct mount_room room;
	int err = mount_room_read(mount, &room);

	if (err && err != -ENODEV)
		errno = -err;
	return err == 0 ? 1 : err == -ENODEV ? 0 : -1;
}

/* A directory for pages of this size, not to be freed; NULL: there is none. */
COMPAT_API const char *hugetlbfs_find_path_for_size(long page_size)
{
	const struct conf *conf = conf_get();

	if (conf && conf->paths)
		return find_in_list(conf->paths, page_size);
	return find_in_mounts(page_size);
}

COMPAT_API const char *hugetlbfs_find_path(void)
{
	long page_size = gethugepagesize();

	return page_size > 0 ? hugetlbfs_find_path_for_size(page_size) : NULL;
}

/*
 * An open file on such a mount that has no name, and never had one; close-on-exec. -1 and
 * errno: no mount (ENODEV), or that of open(2).
 */
COMPAT_API int hugetlbfs_unlinked_fd_for_size(long page_size)
{
	const char *path = hugetlbfs_find_path_for_size(page_size);
	long fd = path ? sys_openat(AT_FDCWD, path, O_TMPFILE | O_RDWR, 0600) : -ENODEV;

	if (fd < 0) {
		errno = (int)-fd;
		return -1;
	}
	return (int)fd;
}

COMPAT_API int hugetlbfs_unlinked_fd(void)
{
	long page_size = gethugepagesize();

	if (page_size < 0)
		return -1;
	return hugetlbfs_unlinked_fd_for_size(page_size);
}
