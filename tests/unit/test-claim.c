/* SPDX-License-Identifier: MIT */
/* Claims: who has a word keeps it until he drops it, whatever it says meanwhile. */
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "core/act/move.h"
#include "core/act/pagemap.h"
#include "core/base/align.h"
#include "core/base/sys.h"
#include "tests/harness/harness.h"

#define SMALL_PAGE 4096
#define AT ((uintptr_t)5 << 32)

static page_word word_of(enum page_kind kind)
{
	return word_make(kind, PROT_READ | PROT_WRITE, kind == PAGE_PRIVATE ? GRANULE : SMALL_PAGE, 0);
}

TEST(pagemap_set_keeps_the_claim)
{
	struct claim c;

	REQUIRE_EQ(pagemap_prepare(AT, AT + 3 * GRANULE), 0);
	pagemap_set(AT, AT + 3 * GRANULE, word_of(PAGE_PRIVATE));
	c = pagemap_claim(AT, AT + 3 * GRANULE);
	pagemap_set(AT, AT + GRANULE, word_of(PAGE_SMALL));
	pagemap_set(AT + GRANULE, AT + 2 * GRANULE, 0);
	EXPECT_EQ(pagemap_get(AT), word_of(PAGE_SMALL) | WORD_CLAIMED);
	EXPECT_EQ(pagemap_get(AT + GRANULE), WORD_CLAIMED);
	EXPECT_FALSE(pagemap_any(AT + GRANULE, AT + 2 * GRANULE));
	pagemap_unclaim(&c);
	EXPECT_EQ(pagemap_get(AT), word_of(PAGE_SMALL));
	EXPECT_EQ(pagemap_get(AT + GRANULE), 0);
	EXPECT_EQ(pagemap_get(AT + 2 * GRANULE), word_of(PAGE_PRIVATE));
}

TEST(claim_that_is_tried_takes_all_of_a_range_or_nothing)
{
	struct claim c, other;

	REQUIRE_EQ(pagemap_prepare(AT, AT + 4 * GRANULE), 0);
	pagemap_set(AT, AT + 4 * GRANULE, word_of(PAGE_PRIVATE));
	other = pagemap_claim(AT + 2 * GRANULE, AT + 3 * GRANULE);
	EXPECT_FALSE(pagemap_try_claim(AT, AT + 4 * GRANULE, &c));
	EXPECT_EQ(pagemap_get(AT), word_of(PAGE_PRIVATE));
	EXPECT_EQ(pagemap_get(AT + 2 * GRANULE), word_of(PAGE_PRIVATE) | WORD_CLAIMED);
	EXPECT_EQ(pagemap_get(AT + 3 * GRANULE), word_of(PAGE_PRIVATE));
	pagemap_unclaim(&other);
	REQUIRE_TRUE(pagemap_try_claim(AT + 1, AT + 4 * GRANULE, &c));
	EXPECT_EQ(pagemap_get(AT), word_of(PAGE_PRIVATE) | WORD_CLAIMED);
	EXPECT_EQ(pagemap_get(AT + 3 * GRANULE), word_of(PAGE_PRIVATE) | WORD_CLAIMED);
	pagemap_unclaim(&c);
	EXPECT_EQ(pagemap_get(AT), word_of(PAGE_PRIVATE));
	/* Nobody's is not claimed, so it must not be dropped: somebody may map there. */
	pagemap_set(AT + GRANULE, AT + 2 * GRANULE, 0);
	EXPECT_FALSE(pagemap_try_claim(AT, AT + 3 * GRANULE, &c));
	EXPECT_EQ(pagemap_get(AT), word_of(PAGE_PRIVATE));
}

/* Who maps in a hole meanwhile finds it claimed, and what he claims at its ends stays his. */
TEST(claim_of_a_range_with_holes_drops_no_claim_of_others)
{
	const uintptr_t far = AT + 3 * PAGEMAP_LEAF_WORDS * GRANULE, hole = far - PAGEMAP_LEAF_WORDS * GRANULE;
	struct claim c, none, other;

	REQUIRE_EQ(pagemap_prepare(AT, AT + 4 * GRANULE), 0);
	REQUIRE_EQ(pagemap_prepare(far, far + GRANULE), 0);
	pagemap_set(AT + GRANULE, AT + 2 * GRANULE, word_of(PAGE_PRIVATE));
	pagemap_set(far, far + GRANULE, word_of(PAGE_PRIVATE));
	c = pagemap_claim(AT, far + 2 * GRANULE);
	REQUIRE_EQ(pagemap_prepare(hole, hole + GRANULE), 0);
	pagemap_set(hole, hole + GRANULE, word_of(PAGE_PRIVATE));
	pagemap_set(AT + 2 * GRANULE, AT + 3 * GRANULE, word_of(PAGE_PRIVATE));
	EXPECT_FALSE(pagemap_try_claim(hole, hole + GRANULE, &none));
	EXPECT_FALSE(pagemap_try_claim(AT + 2 * GRANULE, AT + 3 * GRANULE, &none));
	pagemap_set(AT, AT + GRANULE, word_of(PAGE_PRIVATE));
	other = pagemap_claim(AT, AT + GRANULE);
	pagemap_unclaim(&c);
	EXPECT_EQ(pagemap_get(AT), word_of(PAGE_PRIVATE) | WORD_CLAIMED);
	EXPECT_EQ(pagemap_get(AT + 2 * GRANULE), word_of(PAGE_PRIVATE));
	EXPECT_EQ(pagemap_get(hole), word_of(PAGE_PRIVATE));
	pagemap_unclaim(&other);
	c = pagemap_claim(AT + 3 * GRANULE, AT + 4 * GRANULE);	/* nobody's: nothing */
	EXPECT_EQ(pagemap_get(AT + 3 * GRANULE), 0);
	pagemap_unclaim(&c);
	c = pagemap_claim(2 * far, 2 * far + 2 * GRANULE);
	EXPECT_EQ(c.lo, c.hi);
	EXPECT_TRUE(pagemap_top[2 * far >> GRANULE_SHIFT >> PAGEMAP_LEAF_BITS] == NULL);
}

static struct {
	int wakes;
	enum page_kind first;
} seen;

static long see_wakes(long nr, const long args[6], bool *ret_handled)
{
	(void)ret_handled;
	if (nr == SYS_futex && (args[1] & FUTEX_CMD_MASK) == FUTEX_WAKE && seen.wakes++ == 0)
		seen.first = word_kind(*(const page_word *)args[0]);
	return 0;
}

/* Somebody waits for the claim, to promote what he takes for small memory at its place. */
TEST(move_tells_who_waits_that_the_memory_goes)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	char *room = mmap(NULL, 5 * GRANULE, PROT_READ | PROT_WRITE, flags, -1, 0);
	uintptr_t at = align_up((uintptr_t)room, GRANULE), to = at + 2 * GRANULE;

	REQUIRE_TRUE(room != MAP_FAILED);
	REQUIRE_EQ(pagemap_prepare(at, at + 4 * GRANULE), 0);
	pagemap_set(at, at + GRANULE, word_of(PAGE_SMALL) | WORD_WAITED);
	sys_set_hook(see_wakes);
	EXPECT_EQ(move_range(at, GRANULE, to, true, NULL), 0);
	sys_set_hook(NULL);
	EXPECT_EQ(seen.wakes, 1);
	EXPECT_NE(seen.first, PAGE_SMALL);
	EXPECT_EQ(word_kind(pagemap_get(at)), PAGE_FOREIGN);
	EXPECT_EQ(word_kind(pagemap_get(to)), PAGE_SPLIT);
}
