/* SPDX-License-Identifier: MIT */
/* tree.c - directories and files that tests make */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/tree.h"
#include "tests/harness/undo.h"

const char *tree_make(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/hresv-test.XXXXXX");
	if (!mkdtemp(path))
		FAIL("mkdtemp %s: %s", path, strerror(errno));
	chmod(path, 0755);
	undo_tree(path);
	return path;
}

static void make_parents(char *path, size_t root_chars)
{
	for (char *slash = path + root_chars; (slash = strchr(slash + 1, '/')) != NULL;) {
		*slash = '\0';
		if (mkdir(path, 0755) != 0 && errno != EEXIST)
			FAIL("mkdir %s: %s", path, strerror(errno));
		*slash = '/';
	}
}

void tree_write_bytes(const char *root, const char *path, const void *data, size_t bytes)
{
	char whole[4096];
	int fd;
	size_t done = 0;

	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	make_parents(whole, strlen(root));
	fd = open(whole, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		FAIL("open %s: %s", whole, strerror(errno));
	while (done < bytes) {
		ssize_t n = write(fd, (const char *)data + done, bytes - done);

		if (n <= 0)
			FAIL("write %s: %s", whole, strerror(errno));
		done += n;
	}
	close(fd);
}

void tree_write(const char *root, const char *path, const char *text)
{
	tree_write_bytes(root, path, text, strlen(text));
}

void tree_mkdir(const char *root, const char *path)
{
	char whole[4096];

	snprintf(whole, sizeof(whole), "%s/%s/", root, path);
	make_parents(whole, strlen(root));
}
