/* SPDX-License-Identifier: MIT */
/* Buffers grow without malloc, files are read whole however they come. */
#include <sys/mman.h>

#include "core/base/mem.h"
#include "core/base/sys.h"
#include "tests/unit/roots.h"

TEST(blob_keeps_its_content_while_it_moves)
{
	struct blob b = { 0 };

	for (int i = 0; i < 100000; i++)
		REQUIRE_EQ(blob_add(&b, "0123456789", 10), 0);
	REQUIRE_EQ(b.bytes, 1000000);
	EXPECT_EQ(b.at[b.bytes], '\0');
	for (size_t i = 0; i < b.bytes; i++)
		if (b.at[i] != (char)('0' + i % 10))
			FAIL("byte %zu is %d", i, b.at[i]);
	blob_free(&b);
	EXPECT_EQ(b.bytes, 0);
	EXPECT_EQ(b.at, NULL);
}

TEST(blob_numbers_are_written_in_decimal)
{
	struct blob b = { 0 };

	REQUIRE_EQ(blob_u64(&b, 0), 0);
	REQUIRE_EQ(blob_text(&b, " "), 0);
	REQUIRE_EQ(blob_u64(&b, UINT64_MAX), 0);
	EXPECT_STR_EQ(b.at, "0 18446744073709551615");
	blob_cut(&b, 3);
	EXPECT_STR_EQ(b.at, "0 1");
	blob_cut(&b, 10);
	EXPECT_EQ(b.bytes, 3);
	blob_free(&b);
}

TEST(blob_reserve_of_impossible_sizes_is_enomem)
{
	struct blob b = { 0 };

	EXPECT_EQ(blob_reserve(&b, SIZE_MAX), -ENOMEM);
	EXPECT_EQ(blob_reserve(&b, SIZE_MAX / 2), -ENOMEM);
	EXPECT_EQ(b.at, NULL);
}

TEST(blob_read_gives_files_of_any_length_whole)
{
	static const size_t lengths[] = { 0, 1, 2047, 4095, 4096, 4097, 100000 };
	const char *root = root_make();

	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		struct blob b = { 0 };
		char *data = malloc(lengths[i] + 1);

		for (size_t at = 0; at < lengths[i]; at++)
			data[at] = (char)(at % 251);
		tree_write_bytes(root, "file", data, lengths[i]);
		REQUIRE_EQ(blob_read_under(root, "/file", &b), 0);
		EXPECT_EQ(b.bytes, lengths[i]);
		EXPECT_EQ(memcmp(b.at, data, lengths[i]), 0);
		EXPECT_EQ(b.at[b.bytes], '\0');
		blob_free(&b);
		free(data);
	}
}

/* Every other read is interrupted, the others bring one byte. */
static long stutter(long nr, const long args[6], bool *ret_handled)
{
	static unsigned turn;

	if (nr != SYS_read)
		return 0;
	*ret_handled = true;
	if (turn++ % 2 == 0)
		return -EINTR;

	ssize_t got = read((int)args[0], (void *)args[1], 1);

	return got < 0 ? -errno : got;
}

TEST(blob_read_survives_interrupts_and_crumbs)
{
	const char *root = root_make();
	struct blob b = { 0 };

	tree_write(root, "file", "a counter\n");
	sys_set_hook(stutter);
	EXPECT_EQ(blob_read_under(root, "/file", &b), 0);
	sys_set_hook(NULL);
	EXPECT_STR_EQ(b.at, "a counter\n");
	blob_free(&b);
}

TEST(blob_read_of_what_is_no_file_says_why)
{
	const char *root = root_make();
	struct blob b = { 0 };

	tree_mkdir(root, "directory");
	EXPECT_EQ(blob_read_under(root, "/missing", &b), -ENOENT);
	EXPECT_EQ(blob_read_under(root, "/directory", &b), -EISDIR);
	EXPECT_EQ(b.at, NULL);
}

TEST(blob_read_again_uses_its_memory_again)
{
	const char *root = root_make();
	char path[256];
	struct blob b = { 0 };

	tree_write(root, "file", "second");
	snprintf(path, sizeof(path), "%s/file", root);
	REQUIRE_EQ(blob_text(&b, "a first content, longer than the second"), 0);

	const char *const at = b.at;

	EXPECT_EQ(blob_read_again(path, &b), 0);
	EXPECT_STR_EQ(b.at, "second");
	EXPECT_EQ(b.at, at);
	EXPECT_EQ(blob_read_again("/nowhere", &b), -ENOENT);
	EXPECT_EQ(b.bytes, 0);
	blob_free(&b);
}

TEST(blob_read_link_gives_the_text_whole)
{
	const char *root = root_make();
	char path[256], target[4000];
	struct blob b = { 0 };

	memset(target, 'x', sizeof(target) - 1);
	target[sizeof(target) - 1] = '\0';
	root_link(root, "link", target);
	snprintf(path, sizeof(path), "%s/link", root);
	REQUIRE_EQ(blob_read_link(path, &b), 0);
	EXPECT_STR_EQ(b.at, target);
	blob_free(&b);
	EXPECT_EQ(blob_read_link("/nowhere", &b), -ENOENT);
	EXPECT_EQ(blob_read_link(root, &b), -EINVAL);
	EXPECT_EQ(b.at, NULL);
}

enum { LINK_BYTES = 10000 };

static long long_link(long nr, const long args[6], bool *ret_handled)
{
	if (nr != SYS_readlinkat)
		return 0;
	*ret_handled = true;
	size_t bytes = args[3] < LINK_BYTES ? (size_t)args[3] : LINK_BYTES;

	memset((void *)args[2], 'x', bytes);
	return (long)bytes;
}

TEST(blob_read_link_grows_until_the_text_fits)
{
	struct blob b = { 0 };

	sys_set_hook(long_link);
	EXPECT_EQ(blob_read_link("/any", &b), 0);
	sys_set_hook(NULL);
	EXPECT_EQ(b.bytes, LINK_BYTES);
	EXPECT_EQ(strlen(b.at), LINK_BYTES);
	blob_free(&b);
}

TEST(blob_read_leaks_nothing_whichever_call_fails)
{
	const char *root = root_make();
	char data[20000];
	int err;

	memset(data, 'x', sizeof(data));
	tree_write_bytes(root, "file", data, sizeof(data));
	struct blob b = { 0 };

	FAILS_EACH_CALL(ENOMEM, err = blob_read_under(root, "/file", &b),
			{
				EXPECT_EQ(err, -ENOMEM);
				EXPECT_EQ(b.at, NULL);
			},
			{
				EXPECT_EQ(err, 0);
				EXPECT_EQ(b.bytes, sizeof(data));
				blob_free(&b);
			});
}

TEST(mem_pages_are_zero_and_writable)
{
	unsigned char *at = mem_pages(3 * mem_page_bytes());

	REQUIRE_NE(at, NULL);
	for (size_t i = 0; i < 3 * mem_page_bytes(); i++)
		if (at[i]++)
			FAIL("byte %zu is not 0", i);
	mem_pages_free(at, 3 * mem_page_bytes());
	mem_pages_free(NULL, 4096);
	EXPECT_EQ(mem_pages(SIZE_MAX / 2), NULL);
}
