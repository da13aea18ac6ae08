/* SPDX-License-Identifier: MIT */
/* proc.c - see proc.h */
#include "tools/proc.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/facts/meminfo.h"

static const char *root = "";

const char *proc_root(void)
{
	return root;
}

void proc_set_root(const char *directory)
{
	root = strcmp(directory, "/") == 0 ? "" : directory;
}

int proc_read(pid_t pid, const char *name, struct blob *blob)
{
	char *path;
	int err;

	if (asprintf(&path, "%s/proc/%d/%s", root, (int)pid, name) < 0) {
		blob_cut(blob, 0);
		return -ENOMEM;
	}
	err = blob_read_again(path, blob);
	free(path);
	return err;
}

int proc_pid_of(const char *text, pid_t *ret_pid)
{
	uint64_t value;

	if (*text < '0' || *text > '9' || text_u64(span_of(text), &value) != 0 || value == 0 ||
	    value > INT_MAX)
		return -EINVAL;
	*ret_pid = (pid_t)value;
	return 0;
}

static int ascending(const void *a, const void *b)
{
	const pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

static int add_pid(pid_t **pids, size_t *n, pid_t pid)
{
	/* Room doubles whenever the number is a power of two. */
	if (*n >= 64 ? (*n & (*n - 1)) == 0 : *n == 0) {
		pid_t *more = reallocarray(*pids, *n ? *n * 2 : 64, sizeof(**pids));

		if (!more)
			return -ENOMEM;
		*pids = more;
	}
	(*pids)[(*n)++] = pid;
	return 0;
}

int proc_list(pid_t **ret_pids, size_t *ret_n)
{
	pid_t *pids = NULL, pid;
	struct dirent *entry;
	size_t n = 0;
	char *path;
	DIR *dir;
	int err = 0;

	if (asprintf(&path, "%s/proc", root) < 0)
		return -ENOMEM;
	dir = opendir(path);
	free(path);
	if (!dir)
		return -errno;
	while (!err && (errno = 0, entry = readdir(dir)))
		if (proc_pid_of(entry->d_name, &pid) == 0)
			err = add_pid(&pids, &n, pid);
	if (!err && errno)
		err = -errno;
	closedir(dir);
	if (err) {
		free(pids);
		return err;
	}
	if (n)
		qsort(pids, n, sizeof(*pids), ascending);
	*ret_pids = pids;
	*ret_n = n;
	return 0;
}

/* "NSpid: 4711 12": a pid in each namespace, its own last. */
static pid_t last_pid(struct span pids)
{
	struct span field;
	uint64_t pid = 0;

	while (span_next_field(&pids, '\t', &field))
		if (text_u64(field, &pid) != 0 || pid > INT_MAX)
			return 0;
	return (pid_t)pid;
}

int proc_status(pid_t pid, struct blob *scratch, struct proc_status *ret_status)
{
	struct proc_status s = { 0 };
	struct span content, text, word;
	uint64_t uid;
	int err = proc_read(pid, "status", scratch);

	if (err)
		return err;
	content = (struct span){ scratch->at, scratch->bytes };
	if (meminfo_text(content, "Name:", &text) == 0)
		snprintf(s.name, sizeof(s.name), "%.*s", (int)(text.bytes < 64 ? text.bytes : 64),
			 text.at);
	s.uid = (uid_t)-1;
	if (meminfo_text(content, "Uid:", &text) == 0) {
		for (size_t i = 0; i < text.bytes; i++)
			if (text.at[i] == '\t')
				text.bytes = i;
		if (span_next_word(&text, &word) && text_u64(word, &uid) == 0)
			s.uid = (uid_t)uid;
	}
	if (meminfo_text(content, "NSpid:", &text) == 0)
		s.own_pid = last_pid(text);
	s.kernel = meminfo_u64(content, "VmRSS:", &s.rss_bytes) != 0;
	if (meminfo_u64(content, "HugetlbPages:", &s.hugetlb_bytes) != 0)
		s.hugetlb_bytes = 0;
	*ret_status = s;
	return 0;
}

/* The name in the second field may hold blanks and brackets: the last one ends it. */
int proc_started(pid_t pid, struct blob *scratch, uint64_t *ret_ticks)
{
	struct span rest, word;
	const char *end;
	int err = proc_read(pid, "stat", scratch);

	if (err)
		return err;
	end = scratch->bytes ? memrchr(scratch->at, ')', scratch->bytes) : NULL;
	if (!end)
		return -EBADMSG;
	end++;
	rest = (struct span){ end, scratch->bytes - (size_t)(end - scratch->at) };
	for (int field = 3; field <= 22; field++)
		if (!span_next_word(&rest, &word))
			return -EBADMSG;
	return text_u64(word, ret_ticks);
}
