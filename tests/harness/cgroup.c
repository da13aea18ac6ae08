/* SPDX-License-Identifier: MIT */
/*
 * cgroup.c - finds the hugetlb hierarchy and makes the test's groups in it
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/pool.h"
#include "tests/harness/undo.h"

static struct {
	int version;			/* 0 until found */
	char mount[512];
	char own[600];			/* mount/hresv-PID */
} hierarchy;

static bool read_text(const char *dir, const char *file, char *text, size_t bytes)
{
	char path[1200];
	int fd;
	ssize_t got;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, text, bytes - 1);
	if (fd >= 0)
		close(fd);
	text[got < 0 ? 0 : got] = '\0';
	return got >= 0;
}

static bool write_text(const char *dir, const char *file, const char *text)
{
	char path[1200];
	int fd;
	bool done;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return done;
}

static bool has_word(const char *text, const char *word)
{
	size_t bytes = strlen(word);

	for (const char *at = text; (at = strstr(at, word)) != NULL; at += bytes)
		if ((at == text || strchr(" ,\n", at[-1])) && strchr(" ,\n", at[bytes]))
			return true;
	return false;
}

/* mountinfo: ID PARENT DEV ROOT POINT OPTIONS [TAGS] - TYPE SOURCE SUPER-OPTIONS */
static void find(void)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, point[sizeof(hierarchy.mount)], type[32], super[256], controllers[256];
	size_t bytes = 0;

	while (f && hierarchy.version == 0 && getline(&line, &bytes, f) > 0) {
		const char *tail = strstr(line, " - ");

		if (!tail || sscanf(line, "%*s %*s %*s %*s %511s", point) != 1 ||
		    sscanf(tail, " - %31s %*s %255s", type, super) != 2)
			continue;
		if (!strcmp(type, "cgroup") && has_word(super, "hugetlb"))
			hierarchy.version = 1;
		else if (!strcmp(type, "cgroup2") &&
			 read_text(point, "cgroup.controllers", controllers, sizeof(controllers)) &&
			 has_word(controllers, "hugetlb"))
			hierarchy.version = 2;
		else
			continue;
		snprintf(hierarchy.mount, sizeof(hierarchy.mount), "%s", point);
	}
	free(line);
	if (f)
		fclose(f);
	if (hierarchy.version == 0)
		SKIP("a cgroup hierarchy with the hugetlb controller");
}

int cgroup_version(void)
{
	if (hierarchy.version == 0)
		find();
	return hierarchy.version;
}

/* v2: children of @dir get the controller. Undone where it was not on before. */
static void enable_below(const char *dir)
{
	char on[256], path[1200];

	if (hierarchy.version != 2)
		return;
	if (read_text(dir, "cgroup.subtree_control", on, sizeof(on)) && has_word(on, "hugetlb"))
		return;
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", dir);
	undo_write_text(path, "-hugetlb");
	if (!write_text(dir, "cgroup.subtree_control", "+hugetlb"))
		SKIP("the hugetlb controller in %s: %s", path, strerror(errno));
}

static void make_one(const char *dir)
{
	if (access(dir, F_OK) == 0)
		return;
	undo_cgroup(dir);
	if (mkdir(dir, 0755) != 0)
		SKIP("the right to make %s: %s", dir, strerror(errno));
}

static const char *path_of(const char *name)
{
	static char path[1100];

	snprintf(path, sizeof(path), "%s/%s", hierarchy.own, name);
	return path;
}

const char *cgroup_make(const char *name)
{
	char part[1100];

	pool_lock();
	if (cgroup_version() && !hierarchy.own[0])
		snprintf(hierarchy.own, sizeof(hierarchy.own), "%s/hresv-%d", hierarchy.mount,
			 getpid());
	enable_below(hierarchy.mount);
	make_one(hierarchy.own);
	enable_below(hierarchy.own);
	for (const char *slash = name; (slash = strchr(slash, '/')) != NULL; slash++) {
		snprintf(part, sizeof(part), "%s/%.*s", hierarchy.own, (int)(slash - name), name);
		make_one(part);
		enable_below(part);
	}
	make_one(path_of(name));
	return path_of(name);
}

/* "hugetlb.2MB.", as the kernel names a size. */
static int size_prefix(char *text, size_t bytes, size_t page_bytes)
{
	if (page_bytes >= GIB)
		return snprintf(text, bytes, "hugetlb.%zuGB.", page_bytes >> 30);
	if (page_bytes >= MIB)
		return snprintf(text, bytes, "hugetlb.%zuMB.", page_bytes >> 20);
	return snprintf(text, bytes, "hugetlb.%zuKB.", page_bytes >> 10);
}

static void file_name(char *text, size_t bytes, size_t page_bytes, bool rsvd, bool usage)
{
	int at = size_prefix(text, bytes, page_bytes);
	const char *leaf = hierarchy.version == 2 ? (usage ? "current" : "max")
			   : usage		  ? "usage_in_bytes"
						  : "limit_in_bytes";

	snprintf(text + at, bytes - at, "%s%s", rsvd ? "rsvd." : "", leaf);
}

static void limit(const char *name, size_t page_bytes, bool rsvd, uint64_t bytes)
{
	char file[64], text[32];

	cgroup_version();
	file_name(file, sizeof(file), page_bytes, rsvd, false);
	if (bytes == CGROUP_NO_LIMIT)
		snprintf(text, sizeof(text), "%s", hierarchy.version == 2 ? "max" : "-1");
	else
		snprintf(text, sizeof(text), "%" PRIu64, bytes);
	if (!write_text(path_of(name), file, text))
		SKIP("%s in %s: %s", file, path_of(name), strerror(errno));
}

static uint64_t usage(const char *name, size_t page_bytes, bool rsvd)
{
	char file[64], text[64];

	cgroup_version();
	file_name(file, sizeof(file), page_bytes, rsvd, true);
	if (!read_text(path_of(name), file, text, sizeof(text)))
		SKIP("%s in %s: %s", file, path_of(name), strerror(errno));
	return strtoull(text, NULL, 10);
}

void cgroup_limit_fault(const char *name, size_t page_bytes, uint64_t bytes)
{
	limit(name, page_bytes, false, bytes);
}

void cgroup_limit_rsvd(const char *name, size_t page_bytes, uint64_t bytes)
{
	limit(name, page_bytes, true, bytes);
}

uint64_t cgroup_usage_fault(const char *name, size_t page_bytes)
{
	return usage(name, page_bytes, false);
}

uint64_t cgroup_usage_rsvd(const char *name, size_t page_bytes)
{
	return usage(name, page_bytes, true);
}

void cgroup_join(const char *name, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	if (!write_text(path_of(name), "cgroup.procs", text))
		FAIL("cannot move %d into %s: %s", pid, path_of(name), strerror(errno));
}
