/* SPDX-License-Identifier: MIT */
/*
 * files.h - an input of the fuzzer as the files below /proc, /sys and the groups' mounts
 *
 * The input is cut at bytes 0xff; the n-th piece is what every file of the n-th kind
 * holds, an empty piece means that there is no such file. Files are served by the hook
 * in front of the system calls, so nothing is written and nothing is slow.
 */
#ifndef HRESV_TESTS_FUZZ_FILES_H
#define HRESV_TESTS_FUZZ_FILES_H

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "core/base/sys.h"

#define FILES_ROOT "/fuzz"
#define FIRST_FD 5000
#define OPEN_MOST 16

/* A file is of a kind by the end of its path. */
static const char *const file_kinds[] = {
	"/proc/self/cgroup", "/proc/self/mountinfo", "/proc/cgroups", ".max", ".limit_in_bytes",
	".current", ".usage_in_bytes", ".events", ".failcnt", "cgroup.procs", "nr_hugepages",
	"free_hugepages", "resv_hugepages", "surplus_hugepages", "nr_overcommit_hugepages",
	"/proc/self/maps", "/proc/self/status", "/proc/meminfo", "max_map_count",
	"hugetlb_shm_group", "/online", "mems.effective",
};

#define FILE_KINDS (sizeof(file_kinds) / sizeof(file_kinds[0]))

static struct {
	const char *at[FILE_KINDS];
	size_t bytes[FILE_KINDS];
	struct { int kind; size_t done; } open[OPEN_MOST];
} files;

static int file_kind(const char *path)
{
	size_t bytes = strlen(path);

	for (size_t i = 0; i < FILE_KINDS; i++) {
		size_t end = strlen(file_kinds[i]);

		if (bytes >= end && strcmp(path + bytes - end, file_kinds[i]) == 0)
			return files.bytes[i] ? (int)i : -1;
	}
	return -1;
}

static long file_open(const char *path)
{
	int kind = file_kind(path);

	if (kind < 0)
		return -ENOENT;
	for (int i = 0; i < OPEN_MOST; i++) {
		if (files.open[i].kind)
			continue;
		files.open[i].kind = kind + 1;
		files.open[i].done = 0;
		return FIRST_FD + i;
	}
	return -EMFILE;
}

/* Short reads are the kernel's right: the first of each file is one. */
static long file_read(int slot, char *to, size_t bytes)
{
	const int kind = files.open[slot].kind - 1;
	const size_t left = files.bytes[kind] - files.open[slot].done;

	if (bytes > left)
		bytes = left;
	if (files.open[slot].done == 0 && bytes > 7)
		bytes = 7;
	memcpy(to, files.at[kind] + files.open[slot].done, bytes);
	files.open[slot].done += bytes;
	return (long)bytes;
}

static long files_hook(long nr, const long args[6], bool *ret_handled)
{
	const char *path = (const char *)args[1];
	const long slot = args[0] - FIRST_FD;
	const bool ours = slot >= 0 && slot < OPEN_MOST;

	*ret_handled = true;
	if (nr == SYS_openat && strncmp(path, FILES_ROOT, strlen(FILES_ROOT)) == 0)
		return file_open(path);
	if (nr == SYS_faccessat)
		return file_kind(path) < 0 ? -ENOENT : 0;
	if (nr == SYS_read && ours)
		return file_read((int)slot, (char *)args[1], (size_t)args[2]);
	if (nr == SYS_close && ours) {
		files.open[slot].kind = 0;
		return 0;
	}
	*ret_handled = false;
	return 0;
}

static void files_serve(const char *data, size_t bytes)
{
	memset(&files, 0, sizeof(files));
	for (size_t i = 0; i < FILE_KINDS && bytes; i++) {
		const char *end = memchr(data, 0xff, bytes);
		size_t piece = end ? (size_t)(end - data) : bytes;

		files.at[i] = data;
		files.bytes[i] = piece;
		piece += end ? 1 : 0;
		data += piece;
		bytes -= piece;
	}
	sys_set_hook(files_hook);
}

/* Whoever opens closes. */
static bool files_all_closed(void)
{
	for (int i = 0; i < OPEN_MOST; i++)
		if (files.open[i].kind)
			return false;
	return true;
}

#endif
