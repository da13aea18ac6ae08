/* SPDX-License-Identifier: MIT */
/* library.c - see library.h */
#include "tools/library.h"

#include <stdbool.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tools/binary.h"

#ifndef HRESV_LIBDIR
#define HRESV_LIBDIR "/usr/local/lib"
#endif

/* The directory of this program, without its last '/'; for free(3). */
static char *own_directory(void)
{
	char *path = realpath("/proc/self/exe", NULL), *slash = path ? strrchr(path, '/') : NULL;

	if (slash)
		*slash = '\0';
	return path;
}

static char *in(const char *directory, const char *below, const char *name)
{
	char *path, *resolved;

	if (!directory || asprintf(&path, "%s%s/%s", directory, below, name) < 0)
		return NULL;
	resolved = access(path, F_OK) == 0 ? realpath(path, NULL) : NULL;
	/* Through "bin/..", but not through the links of versions. */
	if (resolved && !*below) {
		free(resolved);
		return path;
	}
	free(path);
	return resolved;
}

char *library_find(const char *wanted)
{
	static const char *const names[] = { "libhresv.so", "libhresv.so.0" };
	char *own, *found = NULL;

	if (wanted)
		return strchr(wanted, '/') ? realpath(wanted, NULL) : strdup(wanted);
	own = own_directory();
	for (size_t i = 0; !found && i < 2; i++)
		found = in(own, "", names[i]);
	for (size_t i = 0; !found && i < 2; i++)
		found = in(own, "/../lib", names[i]);
	for (size_t i = 0; !found && i < 2; i++)
		found = in(HRESV_LIBDIR, "", names[i]);
	free(own);
	return found;
}

enum trouble library_trouble(const char *path, unsigned *ret_machine)
{
	struct binary b;
	struct statvfs fs;
	int fd, err;

	*ret_machine = binary_own_machine();
	if (!path)
		return TROUBLE_NO_LIBRARY;
	if (!strchr(path, '/'))
		return TROUBLE_NONE;	/* the loader will look for it */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return TROUBLE_NO_LIBRARY;
	err = binary_read(fd, &b);
	if (!err)
		*ret_machine = b.machine;
	binary_free(&b);
	if (!err && fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_NOEXEC)) {
		close(fd);
		return TROUBLE_NOEXEC;
	}
	close(fd);
	return err ? TROUBLE_NO_LIBRARY : TROUBLE_NONE;
}

/* Any libhresv.so, of any version: two would be one too many. */
static bool names_us(const char *list)
{
	static const char name[] = "libhresv.so";

	for (const char *at = list; (at = strstr(at, name)); at += sizeof(name) - 1)
		if ((at == list || strchr(": /", at[-1])) && strchr(": .", at[sizeof(name) - 1]))
			return true;	/* the end of the list is a match too */
	return false;
}

char *library_preload(const char *present, const char *path)
{
	char *list;

	if (strpbrk(path, ": "))
		return NULL;	/* they part the list, and nothing escapes them */
	if (!present || !*present)
		return strdup(path);
	if (names_us(present))
		return strdup(present);
	return asprintf(&list, "%s:%s", present, path) < 0 ? NULL : list;
}
