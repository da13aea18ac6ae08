/* SPDX-License-Identifier: MIT */
/*
 * elf_mark.c - copy, mark, look again, rename
 *
 * The running kernel refuses to write to a program that runs; a new file in its place
 * is right for those who start it next, and harms nobody who runs the old one.
 */
#include "tools/elf_mark.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tools/elf_read.h"

#define WRITABLE 2u	/* PF_W */

static uint32_t wanted(const struct elf_segment *s, const struct elf_marking *how)
{
	const bool named = s->flags & WRITABLE ? how->data : how->text;

	if (!how->set)
		return s->flags & ~ELF_MARK;
	return named ? s->flags | ELF_MARK : s->flags;
}

static int changes(const struct elf_facts *f, const struct elf_marking *how)
{
	int n = 0;

	for (size_t i = 0; i < f->segments_n; i++)
		n += wanted(&f->segments[i], how) != f->segments[i].flags;
	return n;
}

static bool write_flags(int fd, const struct elf_facts *f, const struct elf_marking *how)
{
	for (size_t i = 0; i < f->segments_n; i++) {
		const struct elf_segment *s = &f->segments[i];
		uint32_t flags = wanted(s, how);

		flags = f->big_endian ? htobe32(flags) : htole32(flags);
		if (wanted(s, how) != s->flags &&
		    pwrite(fd, &flags, sizeof(flags), (off_t)s->flags_at) != sizeof(flags))
			return false;
	}
	return true;
}

/* Aligned programs have holes of megabytes, and shall keep them. */
static bool copy_bytes(int from, int to)
{
	static const char zeros[4096];
	char buffer[sizeof(zeros)];
	off_t at = 0;
	ssize_t got;

	while ((got = read(from, buffer, sizeof(buffer))) > 0) {
		if (memcmp(buffer, zeros, (size_t)got) != 0 &&
		    pwrite(to, buffer, (size_t)got, at) != got)
			return false;
		at += got;
	}
	return got == 0 && ftruncate(to, at) == 0;
}

/* Owner first: changing it takes setuid away. What can't be kept must not be lost. */
static bool copy_rest(int from, int to, const struct stat *st)
{
	char names[4096], value[4096];
	ssize_t n = flistxattr(from, names, sizeof(names));

	if (fchown(to, st->st_uid, st->st_gid) != 0 && (st->st_uid != geteuid() ||
							st->st_gid != getegid()))
		return false;
	if (n < 0 && errno != ENOTSUP)
		return false;
	for (char *name = names; n > 0 && name < names + n; name += strlen(name) + 1) {
		ssize_t bytes = fgetxattr(from, name, value, sizeof(value));

		if (bytes < 0 || fsetxattr(to, name, value, (size_t)bytes, 0) != 0)
			return false;
	}
	return fchmod(to, st->st_mode & 07777) == 0;
}

/* The copy's headers are what they shall be, and what it reads like is the same. */
static bool is_marked(const char *path, const struct elf_facts *old, const struct elf_marking *how)
{
	struct elf_facts now;
	const char *what;
	bool right;

	if (elf_read(path, how->page_bytes, &now, &what) != 0)
		return false;
	right = now.segments_n == old->segments_n && now.file_bytes == old->file_bytes;
	for (size_t i = 0; right && i < now.segments_n; i++)
		right = now.segments[i].flags == wanted(&old->segments[i], how) &&
			now.segments[i].offset == old->segments[i].offset;
	elf_free(&now);
	return right;
}

static const char *fill(int from, int to, const char *copy, const struct stat *st,
			const struct elf_facts *f, const struct elf_marking *how)
{
	if (!copy_bytes(from, to) || !write_flags(to, f, how))
		return strerror(errno ? errno : EIO);
	if (!copy_rest(from, to, st))
		return "its owner, mode or attributes can't be kept";
	if (fsync(to) != 0)
		return strerror(errno);
	return is_marked(copy, f, how) ? NULL : "the marked copy reads wrongly";
}

static const char *replace(const char *path, const struct elf_facts *f,
			   const struct elf_marking *how)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), to = -1;
	const char *what = NULL;
	char *copy = NULL;
	struct stat st;

	if (from < 0 || fstat(from, &st) != 0 || asprintf(&copy, "%s.XXXXXX", path) < 0)
		what = strerror(errno);
	else if (st.st_nlink > 1)
		what = "it has several names (hard links)";
	else if ((to = mkostemp(copy, O_CLOEXEC)) < 0)
		what = strerror(errno);
	errno = 0;
	if (!what)
		what = fill(from, to, copy, &st, f, how);
	if (!what && rename(copy, path) != 0)
		what = strerror(errno);
	if (what && to >= 0)
		unlink(copy);
	if (to >= 0)
		close(to);
	if (from >= 0)
		close(from);
	free(copy);
	return what;
}

int elf_mark(const char *path, const struct elf_marking *how, const char **ret_what)
{
	char *real = realpath(path, NULL);
	struct elf_facts f;
	int n;

	if (!real) {
		*ret_what = strerror(errno);
		return -1;
	}
	if (elf_read(real, how->page_bytes, &f, ret_what) != 0) {
		free(real);
		return -1;
	}
	n = changes(&f, how);
	*ret_what = n ? replace(real, &f, how) : NULL;
	elf_free(&f);
	free(real);
	return *ret_what ? -1 : n;
}
