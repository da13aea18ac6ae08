/* SPDX-License-Identifier: MIT */
/* hugetlbfs mounts: paths and options as the kernel writes them, lines of any length. */
#include "core/base/sys.h"
#include "core/facts/mounts.h"
#include "tests/unit/roots.h"

static struct mount_list read_list(const char *root)
{
	struct mount_list list;

	REQUIRE_EQ(mounts_read(root, &list), 0);
	return list;
}

TEST(mounts_options_are_read_as_the_kernel_shows_them)
{
	static const struct {
		const char *line, *path;
		size_t page_bytes;
		uint64_t quota_bytes, min_bytes;
		bool read_only;
	} table[] = {
		{ "42 27 0:39 / /x rw,relatime - hugetlbfs none rw,pagesize=2M", "/x", 2 * MIB,
		  UINT64_MAX, 0, false },
		{ "42 27 0:39 / /x rw - hugetlbfs none rw,pagesize=1024M,size=16777216", "/x", GIB,
		  16 * MIB, 0, false },
		{ "42 27 0:39 / /x rw - hugetlbfs none rw,pagesize=2M,size=0,min_size=0", "/x",
		  2 * MIB, 0, 0, false },
		{ "42 27 0:39 / /x rw - hugetlbfs none rw,pagesize=64K,min_size=4194304", "/x",
		  64 * KIB, UINT64_MAX, 4 * MIB, false },
		{ "42 27 0:39 / /x ro - hugetlbfs none rw,pagesize=2M", "/x", 2 * MIB, UINT64_MAX, 0,
		  true },
		{ "42 27 0:39 / /x rw - hugetlbfs none ro,pagesize=2M", "/x", 2 * MIB, UINT64_MAX, 0,
		  true },
		{ "42 27 0:39 / /x rw shared:1 master:2 propagate_from:3 - hugetlbfs none rw,"
		  "pagesize=2M", "/x", 2 * MIB, UINT64_MAX, 0, false },
		{ "42 27 0:39 / /with\\040blank\\134and\\011tab rw - hugetlbfs  rw,pagesize=2M",
		  "/with blank\\and\ttab", 2 * MIB, UINT64_MAX, 0, false },
		{ "42 27 0:39 / /x rw - hugetlbfs none rw", "/x", 0, UINT64_MAX, 0, false },
		{ "42 27 0:39 / /x rw - hugetlbfs none rw,pagesize=3M,size=many", "/x", 0, 0, 0,
		  false },
		{ "42 27 0:39 / /x rw - hugetlbfs /dev/not/the/path rw,pagesize=2M", "/x", 2 * MIB,
		  UINT64_MAX, 0, false },
	};
	const char *root = root_make();

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		char text[400];
		struct mount_list list;
		const struct hugetlbfs_mount *m;

		snprintf(text, sizeof(text), "%s\n", table[i].line);
		tree_write(root, "proc/self/mountinfo", text);
		list = read_list(root);
		REQUIRE_EQ(mounts_count(&list), 1);
		m = mounts_at(&list, 0);
		EXPECT_STR_EQ(m->path, table[i].path);
		EXPECT_EQ(m->page_bytes, table[i].page_bytes);
		EXPECT_EQ(m->quota_bytes, table[i].quota_bytes);
		EXPECT_EQ(m->min_bytes, table[i].min_bytes);
		EXPECT_EQ(m->read_only, table[i].read_only);
		EXPECT_EQ(mounts_at(&list, 1), NULL);
		mounts_free(&list);
	}
}

TEST(mounts_odd_lines_are_passed_over)
{
	const char *root = root_make();
	struct mount_list list;

	tree_write(root, "proc/self/mountinfo",
		   "\n"
		   "42\n"
		   "42 27 0:39 / /a rw hugetlbfs none rw\n"
		   "42 27 0:39 / /b rw - hugetlbfs\n"
		   "42 27 0:39 / /c rw - hugetlbfs none\n"
		   "42 27 0:39 / d rw - hugetlbfs none rw\n"
		   "42 27 0:39 / /e rw - hugetlbfsx none rw\n"
		   "42 27 0:39 / /good rw - hugetlbfs none rw,pagesize=2M\n"
		   "42 27 0:39 / /cut rw - hugetlbfs none rw,pagesize=2M,size=16");
	list = read_list(root);
	REQUIRE_EQ(mounts_count(&list), 1);
	EXPECT_STR_EQ(mounts_at(&list, 0)->path, "/good");
	mounts_free(&list);
}

TEST(mounts_mounted_over_are_left_out)
{
	const char *root = root_make();
	struct mount_list list;

	tree_write(root, "proc/self/mountinfo",
		   "42 27 0:39 / /a rw - hugetlbfs none rw,pagesize=2M\n"
		   "43 27 0:40 / /b rw - hugetlbfs none rw,pagesize=2M\n"
		   "44 27 0:41 / /a rw - hugetlbfs none rw,pagesize=1024M\n"
		   "45 27 0:42 / /b rw - tmpfs none rw\n"
		   "46 27 0:43 / /ab rw - tmpfs none rw\n");
	list = read_list(root);
	REQUIRE_EQ(mounts_count(&list), 1);
	EXPECT_EQ(mounts_at(&list, 0)->page_bytes, GIB);
	mounts_free(&list);
}

TEST(mounts_line_of_64_kib_hides_nothing)
{
	const size_t bytes = 64 * 1024;
	const char *root = root_make();
	char *text = malloc(bytes + 500);
	struct mount_list list;

	strcpy(text, "42 27 0:39 / /a rw - hugetlbfs none rw,pagesize=2M\n"
		     "30 23 0:27 / /o rw - overlay overlay rw,lowerdir=");
	size_t at = strlen(text);

	memset(text + at, 'x', bytes);
	strcpy(text + at + bytes, "\n42 27 0:39 / /b rw - hugetlbfs none rw,pagesize=2M\n");
	tree_write(root, "proc/self/mountinfo", text);
	list = read_list(root);
	REQUIRE_EQ(mounts_count(&list), 2);
	EXPECT_STR_EQ(mounts_at(&list, 1)->path, "/b");
	mounts_free(&list);
	free(text);
}

TEST(mounts_many_and_long_keep_their_paths)
{
	const char *root = root_make();
	char *text = malloc(2000 * 300), *to = text;
	struct mount_list list;

	for (int i = 0; i < 1000; i++)
		to += sprintf(to, "42 27 0:39 / /%0200d rw - hugetlbfs none rw,pagesize=2M\n", i);
	tree_write(root, "proc/self/mountinfo", text);
	list = read_list(root);
	REQUIRE_EQ(mounts_count(&list), 1000);
	for (int i = 0; i < 1000; i++) {
		char want[300];

		snprintf(want, sizeof(want), "/%0200d", i);
		EXPECT_STR_EQ(mounts_at(&list, (size_t)i)->path, want);
	}
	mounts_free(&list);
	EXPECT_EQ(mounts_count(&list), 0);
	free(text);
}

TEST(mounts_empty_file_is_an_empty_list_and_a_hidden_one_an_error)
{
	const char *root = root_make();
	struct mount_list list = { 0 };

	EXPECT_EQ(mounts_read(root, &list), -ENOENT);
	tree_write(root, "proc/self/mountinfo", "");
	list = read_list(root);
	EXPECT_EQ(mounts_count(&list), 0);
	EXPECT_EQ(mounts_at(&list, 0), NULL);
	mounts_free(&list);
}

TEST(mounts_leak_nothing_whichever_call_fails)
{
	const char *root = root_make();
	char *text = malloc(200 * 300), *to = text;
	struct mount_list list = { 0 };
	int err;

	for (int i = 0; i < 150; i++)
		to += sprintf(to, "42 27 0:39 / /%0200d rw - hugetlbfs none rw,pagesize=2M\n", i);
	tree_write(root, "proc/self/mountinfo", text);
	FAILS_EACH_CALL(ENOMEM, err = mounts_read(root, &list),
			{
				EXPECT_EQ(err, -ENOMEM);
				EXPECT_EQ(mounts_count(&list), 0);
			},
			{
				EXPECT_EQ(mounts_count(&list), 150);
				mounts_free(&list);
			});
	free(text);
}

static struct {
	unsigned long type, blocks, free;
} told;

static long tell_statfs(long nr, const long args[6], bool *ret_handled)
{
	/* struct statfs: type, bsize, blocks, bfree */
	unsigned long *fs = (unsigned long *)args[1];

	if (nr != SYS_statfs && nr != SYS_fstatfs)
		return 0;
	*ret_handled = true;
	fs[0] = told.type;
	fs[1] = 2 * MIB;
	fs[2] = told.blocks;
	fs[3] = told.free;
	return 0;
}

TEST(mount_room_knows_quotas)
{
	static const struct {
		unsigned long blocks, free;
		uint64_t quota_pages, free_pages;
	} table[] = {
		{ 0, 0, UINT64_MAX, UINT64_MAX },
		{ 8, 5, 8, 5 },
		{ 8, 0, 8, 0 },
		{ -1UL, -3UL, UINT64_MAX, UINT64_MAX },	/* min_size without size */
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		struct mount_room room;

		told.type = MOUNT_HUGETLBFS;
		told.blocks = table[i].blocks;
		told.free = table[i].free;
		sys_set_hook(tell_statfs);
		EXPECT_EQ(mount_room_read("/x", &room), 0);
		EXPECT_EQ(room.page_bytes, 2 * MIB);
		EXPECT_EQ(room.quota_pages, table[i].quota_pages);
		EXPECT_EQ(room.free_pages, table[i].free_pages);
		sys_set_hook(NULL);
	}
}

TEST(mount_room_of_anything_else_is_enodev)
{
	struct mount_room room = { .page_bytes = 77 };

	EXPECT_EQ(mount_room_read("/proc", &room), -ENODEV);
	EXPECT_EQ(mount_room_read("/nowhere", &room), -ENOENT);
	EXPECT_EQ(room.page_bytes, 77);
}
