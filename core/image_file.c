/* SPDX-License-Identifier: MIT */
/*
 * image_file.c - MADV_DONTNEED of a program's own data
 *
 * On a private mapping of a file it drops what was written, and the next access reads
 * the file. On ours there is no file behind, so it is read again by its name, if that
 * still is the file it was.
 *
 * The records are written at start, before the words that lead here are published,
 * and never change.
 */
#include "core/image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/act/cow.h"
#include "core/act/release.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/facts/maps.h"
#include "core/image.h"

struct origin {
	uintptr_t lo, hi;
	uint64_t offset, inode;
	size_t path;		/* in paths */
};

static struct {
	struct blob origins;	/* struct origin[] */
	struct blob paths;	/* zero-terminated, one behind the other */
} files;

static bool is_noted(const struct origin *n)
{
	const struct origin *o = (const struct origin *)files.origins.at;

	for (size_t i = 0; i < files.origins.bytes / sizeof(*o); i++)
		if (o[i].lo == n->lo && o[i].hi == n->hi && o[i].offset == n->offset &&
		    o[i].inode == n->inode)
			return true;
	return false;
}

static void note_part(const struct map_part *p, void *arg)
{
	struct origin o = { p->lo, p->hi, p->offset, p->inode, files.paths.bytes };

	(void)arg;
	if (!p->inode || p->facts.huge || is_noted(&o))
		return;
	if (blob_add(&files.paths, p->name.at, p->name.bytes) == 0 &&
	    blob_add(&files.paths, "", 1) == 0)
		blob_add(&files.origins, &o, sizeof(o));
}

void image_file_note(uintptr_t lo, uintptr_t hi)
{
	maps_walk("", lo, hi, note_part, NULL);
}

/* The origin that holds @at; else NULL, and *end is cut to where the next one begins. */
static const struct origin *origin_of(uintptr_t at, uintptr_t *end)
{
	const struct origin *o = (const struct origin *)files.origins.at;

	for (size_t i = 0; i < files.origins.bytes / sizeof(*o); i++) {
		if (o[i].lo <= at && at < o[i].hi)
			return &o[i];
		if (at < o[i].lo && o[i].lo < *end)
			*end = o[i].lo;
	}
	return NULL;
}

static int open_origin(const struct origin *o)
{
	long fd = sys_openat(AT_FDCWD, files.paths.at + o->path, O_RDONLY, 0);
	struct stat st;

	if (fd < 0)
		return (int)fd;
	if (sys_fstat((int)fd, &st) == 0 && st.st_ino == o->inode)
		return (int)fd;
	sys_close((int)fd);
	return -ESTALE;
}

/*
 * The kernel writes, so no thread is to be held, as with any read(2). What the program
 * may not write has not been written.
 */
static long read_again(const struct origin *o, uintptr_t lo, uintptr_t hi)
{
	int fd = open_origin(o);
	long got = 1;

	if (fd < 0)
		return -EINVAL;
	cow_own_all(lo, hi);
	while (lo < hi && (got > 0 || got == -EINTR)) {
		got = sys_pread(fd, (void *)lo, hi - lo, (off_t)(o->offset + (lo - o->lo)));
		if (got > 0)
			lo += (size_t)got;
	}
	sys_close(fd);
	if (got == 0)		/* behind its end: the rest of the last page */
		memset((void *)lo, 0, hi - lo);
	return got < 0 && got != -EFAULT ? -EINVAL : 0;
}

static long discard_bss(uintptr_t lo, uintptr_t hi)
{
	page_word word = pagemap_get(lo) & ~WORD_MARKS;

	if (word_kind(word) != PAGE_PRIVATE)
		return sys_madvise(lo, hi - lo, MADV_DONTNEED);
	return release_private(lo, hi, word) == 0 ? 0 : -ENOMEM;
}

long image_discard(uintptr_t lo, uintptr_t hi, enum use use, bool free)
{
	long err = 0;

	if (use == USE_TEXT)
		return free ? -EINVAL : 0;
	for (uintptr_t at = lo, end; at < hi && !err; at = end) {
		const struct origin *o;

		end = hi;
		o = origin_of(at, &end);
		if (o && o->hi < end)
			end = o->hi;
		if (o)
			err = free ? -EINVAL : read_again(o, at, end);
		else
			err = discard_bss(at, end);
	}
	return err;
}
