// SPDX-License-Identifier: MIT
/* The file at exit, with each system call failing: the old one or the new one, whole. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/act/stats.h"
#include "tests/harness/faults.h"
#include "tests/harness/harness.h"
#include "tests/harness/tree.h"

static size_t read_file(const char *path, char *to, size_t room)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, to, room - 1);

	close(fd);
	to[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static int files_in(const char *directory)
{
	DIR *dir = opendir(directory);
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

TEST(stats_file_is_the_old_or_the_new_whichever_system_call_fails)
{
	static char text[1 << 16];
	char path[500];
	const char *root = tree_make();
	int nth = 0, err;

	snprintf(path, sizeof(path), "%s/stats.json", root);
	stats_request(USE_MMAP, 1);
	do {
		tree_write(root, "stats.json", "old");
		faults_arm(++nth, ENOSPC);
		err = stats_write(path, 2 * MIB);
		bool fired = faults_fired();

		faults_disarm();
		read_file(path, text, sizeof(text));
		/* Closing may fail after all is written; removing what was left can't be helped. */
		if (err)
			EXPECT_STR_EQ(text, "old");
		else
			EXPECT_CONTAINS(text, "hresv-stats");
		EXPECT_EQ(files_in(root), 1);
		if (!fired)
			break;
	} while (1);
	EXPECT_EQ(err, 0);
	EXPECT_GT(nth, 5);
}

/* The only name taken away is our own. */
TEST(stats_file_that_cannot_be_made_leaves_the_directory_alone)
{
	char path[500];
	const char *root = tree_make();

	snprintf(path, sizeof(path), "%s/no/stats.json", root);
	EXPECT_EQ(stats_write(path, 2 * MIB), -ENOENT);
	snprintf(path, sizeof(path), "%s", root);
	EXPECT_EQ(stats_write(path, 2 * MIB), -EISDIR);
	EXPECT_EQ(files_in(root), 0);
}

TEST(what_a_killed_process_left_is_in_nobodys_way)
{
	char path[500], left[50], text[100];
	const char *root = tree_make();

	snprintf(left, sizeof(left), "stats.json.%d.new", getpid());
	tree_write(root, left, "half of it");
	snprintf(path, sizeof(path), "%s/stats.json", root);
	EXPECT_EQ(stats_write(path, 2 * MIB), 0);
	EXPECT_GT(read_file(path, text, sizeof(text)), 0);
	EXPECT_CONTAINS(text, "hresv-stats");
	EXPECT_EQ(files_in(root), 1);
}

TEST(percent_p_is_the_pid_and_other_percents_stay)
{
	char path[500], text[100];
	const char *root = tree_make();

	snprintf(path, sizeof(path), "%s/%%p.%%%%.%%x", root);
	EXPECT_EQ(stats_write(path, 0), 0);
	snprintf(path, sizeof(path), "%s/%d.%%.%%x", root, getpid());
	EXPECT_GT(read_file(path, text, sizeof(text)), 0);
}
