/* SPDX-License-Identifier: MIT */
/*
 * What putting a program's text on huge pages rests on (core/act/graft.c, core/image*.c).
 * Linux 5.16 (550a7d60bd5e) moves huge pages.
 */
#include <stdlib.h>

#include "tests/kernel/kernel.h"

/* A function as bytes: returns 7. */
#if defined(__x86_64__)
static const unsigned char seven[] = { 0xb8, 7, 0, 0, 0, 0xc3 };
#else
static const unsigned char seven[] = { 0xe0, 0, 0x80, 0x52, 0xc0, 3, 0x5f, 0xd6 };
#endif

static char *aligned_room(size_t bytes)
{
	char *room = map_or_fail(bytes + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
	char *at = (char *)(((uintptr_t)room + PAGE - 1) & ~(uintptr_t)(PAGE - 1));

	munmap(room, bytes + PAGE);
	return at;
}

/* As a loader leaves it: file pages, executable, and nothing behind them. */
static char *map_text(size_t bytes)
{
	char path[] = "/tmp/hresv-text.XXXXXX", *at = aligned_room(2 * PAGE);
	int fd = mkstemp(path);

	unlink(path);
	REQUIRE_EQ(pwrite(fd, seven, sizeof(seven), 0), (ssize_t)sizeof(seven));
	REQUIRE_EQ(ftruncate(fd, (off_t)bytes), 0);
	REQUIRE_EQ(mmap(at, bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0), at);
	close(fd);
	return at;
}

static int call(const char *at)
{
	return ((int (*)(void))(uintptr_t)at)();
}

/* Populated writable, protected, moved over file text and the hole behind it. */
TEST(text_on_huge_pages_moves_over_a_file_and_runs)
{
	char *text, *aside;

	pool_set(PAGE, 1);
	text = map_text(64 * KIB);
	EXPECT_EQ(call(text), 7);
	aside = map_populated(PAGE);
	memcpy(aside, text, 64 * KIB);
	__builtin___clear_cache(aside, aside + PAGE);
	REQUIRE_EQ(mprotect(aside, PAGE, PROT_READ | PROT_EXEC), 0);
	EXPECT_EQ(mremap(aside, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, text), text);
	EXPECT_EQ(call(text), 7);
	EXPECT_EQ(huge_in(text, PAGE), PAGE);
	munmap(text, PAGE);
	EXPECT_EQ(pool_free(PAGE), 1);
}

/* A child shares it, and needs no page of its own to run it: nor does the parent. */
TEST(text_on_huge_pages_is_shared_by_a_child_without_a_page_to_spare)
{
	char *text;
	pid_t child;
	int status;

	pool_set(PAGE, 1);
	text = map_populated(PAGE);
	memcpy(text, seven, sizeof(seven));
	__builtin___clear_cache(text, text + PAGE);
	mprotect(text, PAGE, PROT_READ | PROT_EXEC);
	child = fork();
	if (child == 0)
		_exit(call(text));
	EXPECT_EQ(call(text), 7);
	waitpid(child, &status, 0);
	EXPECT_EQ(WEXITSTATUS(status), 7);
	munmap(text, PAGE);
}

/* image_thp.c: whether the first touch brought a huge page is seen by mincore(). */
TEST(thp_that_came_is_present_as_a_whole_after_one_touch)
{
	unsigned char vec[512];
	size_t present = 0;
	char *at;

	for (int advice = 0; advice < 2; advice++) {
		at = aligned_room(PAGE);
		REQUIRE_EQ(mmap(at, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), at);
		if (madvise(at, PAGE, advice ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) != 0)
			SKIP("transparent huge pages");
		at[PAGE / 2] = 1;
		REQUIRE_EQ(mincore(at, PAGE, vec), 0);
		present = 0;
		for (size_t i = 0; i < sizeof(vec); i++)
			present += vec[i] & 1;
		munmap(at, PAGE);
		if (!advice)
			EXPECT_EQ(present, 1);
	}
	if (present == 1)
		SKIP("transparent huge pages now");
	EXPECT_EQ(present, 512);
}

/* graft.c: bits 62 and 63 of /proc/self/pagemap are 0 for what was never touched alone. */
TEST(pagemap_tells_untouched_from_touched_memory)
{
	uint64_t entry[2] = { 1, 1 };
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	char *at = map_or_fail(8192, RW, MAP_PRIVATE | MAP_ANONYMOUS);

	at[4096] = 1;
	REQUIRE_EQ(pread(fd, entry, sizeof(entry), (off_t)((uintptr_t)at / 4096 * 8)), 16);
	EXPECT_EQ(entry[0] >> 62, 0);
	EXPECT_NE(entry[1] >> 62, 0);
	close(fd);
	munmap(at, 8192);
}
