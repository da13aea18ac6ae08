/* SPDX-License-Identifier: MIT */
/*
 * attach.c - two growing lists behind one lock
 *
 * shmdt() names an address only; what it unmaps must leave the page map before
 * it does. An attachment that could not be recorded is not published either: it
 * is then foreign memory, and the kernel's answers are what the program gets.
 */
#include "core/act/attach.h"

#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "core/act/pagemap.h"
#include "core/act/rescue.h"
#include "core/act/stats.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/base/text.h"
#include "core/decide/request.h"
#include "core/facts/maps.h"

/* Where thousands are made, asking about each takes a millisecond. */
#define REVIEW_AGAIN_NS 10000000u

struct made {
	int id;
	size_t bytes;
};

/*
 * lock guards both lists. Memory for them may be mapped under it, and the kernel
 * asked; no other lock is taken. fork renews it in the child, the lists stay.
 */
static struct {
	struct lock lock;
	struct blob attached;	/* struct attachment[], by age */
	struct blob made;	/* struct made[] */
	uint64_t ages;		/* given so far */
	uint64_t review_at;
	bool moved;		/* atomic */
} lists = { .lock = LOCK_INIT(LOCK_ATTACH) };

/*
 * Since Linux 5.18 a page can be taken out of our tables, whole pages alone, and it stays with the
 * segment. So who can take out the second granule has pages of that size. Nothing is in them yet.
 */
static bool is_of_granules(uintptr_t at, size_t bytes)
{
	return bytes >= 2 * GRANULE && sys_madvise(at + GRANULE, GRANULE, MADV_DONTNEED) == 0;
}

/*
 * The size of its pages: this advice is taken for whole ones only, means nothing
 * on them, and is taken back at once. But the mapping is two from then on, whose
 * tables no process shares (line.h).
 */
static size_t page_bytes_of(uintptr_t at, size_t bytes)
{
	if (is_of_granules(at, bytes))
		return GRANULE;
	for (size_t page = GRANULE; page && is_aligned(at, page); page *= 2) {
		if (sys_madvise(at, page, MADV_SEQUENTIAL) != 0)
			continue;
		sys_madvise(at, page, MADV_NORMAL);
		return page;
	}
	return GRANULE;
}

static size_t count(void)
{
	return lists.attached.bytes / sizeof(struct attachment);
}

static struct attachment *entry(size_t i)
{
	return (struct attachment *)lists.attached.at + i;
}

/* Under the lock. Those behind it are younger; count() when it isn't there. */
static size_t find(uintptr_t at)
{
	size_t i = 0;

	while (i < count() && entry(i)->at != at)
		i++;
	return i;
}

static void drop(size_t i)
{
	memmove(entry(i), entry(i + 1), (count() - i - 1) * sizeof(struct attachment));
	lists.attached.bytes -= sizeof(struct attachment);
}

bool attach_any(void)
{
	return __atomic_load_n(&lists.attached.bytes, __ATOMIC_RELAXED) != 0;
}

void attach_note(uintptr_t at, size_t bytes, int prot)
{
	struct attachment a = { .at = at };
	size_t page, stale;
	int err;

	if (!mem_is_hugetlb(at))
		return;
	page = page_bytes_of(at, bytes);
	a.bytes = align_up(bytes, page);
	if (pagemap_prepare(at, at + a.bytes) != 0)
		return;
	lock_take(&lists.lock);
	stale = find(at);	/* unmapped or replaced without shmdt() */
	if (stale < count())
		drop(stale);
	a.age = ++lists.ages;
	err = blob_add(&lists.attached, &a, sizeof(a));
	lock_drop(&lists.lock);
	if (err)
		return;
	rescue_arm();
	pagemap_set(at, at + a.bytes, word_make(PAGE_SEGMENT, prot, page, USE_SHM));
}

struct run {
	uintptr_t lo, hi;
	page_word word;
};

/*
 * Parts of [lo, hi) may have been unmapped since, and be other memory of ours now. What
 * can't be written down goes all the same: it must be nobody's before it is unmapped.
 */
static void take_back(uintptr_t lo, uintptr_t hi, struct attach_was *was)
{
	page_word word;

	for (uintptr_t at = lo, end; at < hi; at = end) {
		end = pagemap_run(at, hi, &word);
		if (word_kind(word) != PAGE_SEGMENT)
			continue;

		const struct run r = { at, end, word };

		blob_add(&was->words, &r, sizeof(r));
		pagemap_set(at, end, 0);
	}
}

/* Under the lock: what lies in [lo, hi) but is of an attachment younger than the @i-th is not its. */
static void take_back_own(size_t i, uintptr_t lo, uintptr_t hi, struct attach_was *was)
{
	for (size_t n = i + 1; n < count(); n++) {
		const struct attachment *young = entry(n);

		if (young->at >= hi || young->at + young->bytes <= lo)
			continue;
		if (lo < young->at)
			take_back_own(n, lo, young->at, was);
		lo = young->at + young->bytes;
		if (lo >= hi)
			return;
	}
	take_back(lo, hi, was);
}

/* All that shmdt(@at) unmaps: one segment's mappings, each as far from @at as in the segment. */
struct search {
	uintptr_t at;
	uint64_t inode;
	bool found;
	struct attach_was *was;
};

static void take_back_part(const struct map_part *m, void *arg)
{
	struct search *s = arg;

	if (m->lo < s->at || m->offset != m->lo - s->at || !span_starts(m->name, "/SYSV") ||
	    (s->found && m->inode != s->inode))
		return;
	s->found = true;
	s->inode = m->inode;
	take_back(m->lo, m->hi, s->was);
}

void attach_note_moved(void)
{
	__atomic_store_n(&lists.moved, true, __ATOMIC_RELAXED);
}

/* What the list knows at an old place only, the kernel is asked about. */
void attach_forget(uintptr_t at, struct attach_was *ret_was)
{
	struct attach_was was = { 0 };
	size_t i;

	lock_take(&lists.lock);
	i = find(at);
	if (i < count()) {
		was.attachment = *entry(i);
		take_back_own(i, at, at + was.attachment.bytes, &was);
		drop(i);
	}
	lock_drop(&lists.lock);
	if (!was.attachment.bytes && __atomic_load_n(&lists.moved, __ATOMIC_RELAXED)) {
		struct search search = { .at = at, .was = &was };

		maps_walk("", at, UINTPTR_MAX, take_back_part, &search);
	}
	*ret_was = was;
}

void attach_forgotten(struct attach_was *was)
{
	blob_free(&was->words);
}

/* Where its age puts it: as the youngest it would keep what is of those attached since. */
static void put_back(const struct attachment *a)
{
	size_t i;

	lock_take(&lists.lock);
	i = count();
	if (blob_add(&lists.attached, a, sizeof(*a)) == 0)
		for (; i > 0 && entry(i - 1)->age > a->age; i--) {
			*entry(i) = *entry(i - 1);
			*entry(i - 1) = *a;
		}
	lock_drop(&lists.lock);
}

void attach_restore(struct attach_was *was)
{
	const struct run *run = (const struct run *)was->words.at;

	if (was->attachment.bytes)
		put_back(&was->attachment);
	for (size_t i = 0; i < was->words.bytes / sizeof(*run); i++)
		pagemap_set(run[i].lo, run[i].hi, run[i].word);
	blob_free(&was->words);
}

void attach_note_made(int id, size_t bytes)
{
	const struct made m = { id, bytes };

	stats_hold(bytes);
	lock_take(&lists.lock);
	blob_add(&lists.made, &m, sizeof(m));
	lock_drop(&lists.lock);
}

void attach_note_removed(int id)
{
	struct quiet q;
	size_t bytes = 0;

	quiet_enter(&q);
	lock_take(&lists.lock);

	struct made *list = (struct made *)lists.made.at;
	size_t n = lists.made.bytes / sizeof(*list);

	for (size_t i = 0; i < n; i++) {
		if (list[i].id != id)
			continue;
		bytes = list[i].bytes;
		list[i] = list[n - 1];
		lists.made.bytes -= sizeof(*list);
		break;
	}
	lock_drop(&lists.lock);
	quiet_leave(&q);
	stats_release(bytes);
}

/* A segment that is marked to go counts as removed, as when we remove it. */
static bool is_removed(int id)
{
	struct shmid_ds ds;
	long err = sys_shmctl(id, IPC_STAT, &ds);

	return err ? err == -EINVAL || err == -EIDRM : ds.shm_perm.mode & SHM_DEST;
}

void attach_review(void)
{
	uint64_t now = sys_now_ns();
	size_t kept = 0, bytes = 0;
	struct quiet q;

	quiet_enter(&q);
	lock_take(&lists.lock);

	struct made *list = (struct made *)lists.made.at;
	size_t n = lists.made.bytes / sizeof(*list);

	if (now < lists.review_at)
		n = 0;
	for (size_t i = 0; i < n; i++) {
		if (is_removed(list[i].id))
			bytes += list[i].bytes;
		else
			list[kept++] = list[i];
	}
	if (n) {
		lists.made.bytes = kept * sizeof(*list);
		lists.review_at = now + REVIEW_AGAIN_NS;
	}
	lock_drop(&lists.lock);
	quiet_leave(&q);
	stats_release(bytes);
}

void attach_freeze(void)
{
	lock_take(&lists.lock);
}

void attach_thaw(void)
{
	lock_drop(&lists.lock);
}

void attach_renew(void)
{
	lock_renew(&lists.lock);
}
