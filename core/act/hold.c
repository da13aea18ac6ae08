/* SPDX-License-Identifier: MIT */
/*
 * hold.c - make, map and cut a file of huge pages
 *
 * Pitfalls.
 * 1. fallocate() goes by the policy of the thread on some kernels and of the file on
 *    others; pages written through a mapping go by that of the mapping on all.
 * 2. A descriptor's locks belong to its open file, and dup(), fork() and SCM_RIGHTS share that.
 *    Only opening the file anew, by way of /proc, gives another.
 * 3. Where /proc is hidden no mapping can be known: such a mapping forbids cutting, for ever, by a
 *    seal; on a mount, which has no seals, it is refused.
 */
#include "core/act/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "core/act/backing.h"
#include "core/act/line.h"
#include "core/act/populate.h"
#include "core/base/align.h"
#include "core/base/fd.h"
#include "core/base/mem.h"
#include "core/base/out.h"
#include "core/base/sys.h"
#include "core/facts/mounts.h"

#ifndef F_SEAL_SHRINK
#define F_ADD_SEALS 1033
#define F_SEAL_SHRINK 2
#endif

#define RW (PROT_READ | PROT_WRITE)

static long open_new(size_t page_bytes, const char *path)
{
	if (path)
		return sys_openat(AT_FDCWD, path, O_TMPFILE | O_RDWR, 0600);
	return sys_memfd("hresv", MFD_HUGETLB | MFD_ALLOW_SEALING |
					  (unsigned)log2_of(page_bytes) << MAP_HUGE_SHIFT);
}

int hold_reserve(size_t page_bytes, size_t pages, const char *path, struct hold *ret_hold)
{
	const size_t bytes = pages * page_bytes;
	long fd = open_new(page_bytes, path), err, at;

	if (fd < 0)
		return (int)fd;
	fd = fd_move_up((int)fd);
	err = sys_ftruncate((int)fd, (off_t)bytes);
	if (err) {
		sys_close((int)fd);
		return (int)err;
	}
	at = sys_mmap(0, bytes, RW, MAP_SHARED | (path ? MAP_NORESERVE : 0), (int)fd, 0);
	if (sys_failed(at)) {
		sys_close((int)fd);
		return (int)at;
	}
	*ret_hold = (struct hold){ (int)fd, page_bytes, (uintptr_t)at, bytes };
	return 0;
}

int hold_populate(struct hold *h, const struct node_want *nodes)
{
	const struct backing how = { .page_bytes = h->page_bytes, .prot = RW, .shared = true,
				     .whole = true, .turn_held = true };
	const size_t pages = h->bytes / h->page_bytes;
	int err = node_bind(nodes, h->at, h->bytes);

	if (err)
		return err;
	return populate_noted(&how, h->at, h->bytes, pages) == pages ? 0 : -ENOMEM;
}

void hold_settle(struct hold *h)
{
	if (h->at)
		sys_munmap(h->at, h->bytes);
	h->at = 0;
}

void hold_drop(struct hold *h)
{
	hold_settle(h);
	if (h->fd >= 0)
		sys_close(h->fd);
	h->fd = -1;
}

int hold_open(int fd, struct hold *ret_hold)
{
	struct statfs fs;
	struct stat st;
	long mine, err = sys_fstatfs(fd, &fs);

	if (err)
		return (int)err;
	if ((unsigned)fs.f_type != MOUNT_HUGETLBFS)
		return -ENODEV;
	err = sys_fstat(fd, &st);
	if (err)
		return (int)err;
	if (st.st_size <= 0 || !S_ISREG(st.st_mode) || st.st_size % (off_t)fs.f_bsize)
		return -ENODEV;
	if ((uint64_t)st.st_blocks * 512 < (uint64_t)st.st_size)
		return -ESTALE;
	mine = sys_fcntl(fd, F_DUPFD_CLOEXEC, (void *)(uintptr_t)FD_HIGH);
	if (mine == -EINVAL)
		mine = sys_fcntl(fd, F_DUPFD_CLOEXEC, NULL);
	if (mine < 0)
		return (int)mine;
	*ret_hold = (struct hold){ (int)mine, (size_t)fs.f_bsize, 0, (size_t)st.st_size };
	return 0;
}

int hold_bytes(const struct hold *h, size_t *ret_bytes)
{
	struct stat st;
	long err = sys_fstat(h->fd, &st);

	if (!err)
		*ret_bytes = (size_t)st.st_size;
	return (int)err;
}

/* The same file, opened anew. */
static long open_again(const struct hold *h)
{
	struct line path;

	line_start(&path);
	line_text(&path, "/proc/self/fd/");
	line_u64(&path, (uint64_t)h->fd);
	path.text[path.bytes] = '\0';
	return sys_openat(AT_FDCWD, path.text, O_RDWR, 0);
}

static long lock_range(int fd, short type, size_t from, size_t bytes)
{
	struct flock range = { .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)from,
			       .l_len = (off_t)bytes };
	long err = sys_fcntl(fd, F_OFD_SETLK, &range);

	return err == -EAGAIN || err == -EACCES ? -EBUSY : err;
}

static bool is_within(const struct hold *h, size_t offset, size_t bytes)
{
	size_t has = 0;

	return hold_bytes(h, &has) == 0 && offset <= has && bytes <= has - offset;
}

static bool cannot_open_again(long fd)
{
	return fd == -ENOENT || fd == -EACCES || fd == -EPERM || fd == -ENOTDIR || fd == -ELOOP;
}

long hold_map(const struct hold *h, size_t offset, size_t bytes, int prot)
{
	long fd = open_again(h), err = 0, at;

	if (cannot_open_again(fd)) {
		err = sys_fcntl(h->fd, F_ADD_SEALS, (void *)(uintptr_t)F_SEAL_SHRINK);
		if (err)
			return -EOPNOTSUPP;
		fd = h->fd;
	} else if (fd < 0) {
		return fd;
	} else {
		err = lock_range((int)fd, F_RDLCK, offset, bytes);
	}
	if (!err && !is_within(h, offset, bytes))
		err = -ERANGE;
	at = err ? err : sys_mmap(line_for(bytes, offset), bytes, prot, MAP_SHARED, (int)fd, (off_t)offset);
	if (fd != h->fd)
		sys_close((int)fd);
	return at;
}

int hold_cut(const struct hold *h, size_t bytes)
{
	long fd = open_again(h), err;

	if (cannot_open_again(fd))
		return -EOPNOTSUPP;
	if (fd < 0)
		return (int)fd;
	err = lock_range((int)fd, F_WRLCK, bytes, 0);
	if (!err)
		err = sys_ftruncate((int)fd, (off_t)bytes);
	sys_close((int)fd);
	return err == -EPERM ? -EBUSY : (int)err;	/* sealed: see pitfall 3 */
}
