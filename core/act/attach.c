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
#include "core/decide/request.h"

#ifndef MADV_COLD
#define MADV_COLD 20
#endif

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
	struct blob attached;	/* struct attach_was[] */
	struct blob made;	/* struct made[] */
	uint64_t review_at;
} lists = { .lock = LOCK_INIT(LOCK_ATTACH) };

/* MADV_COLD asks nothing of small pages, and is refused for huge ones. */
static bool is_hugetlb(uintptr_t at)
{
	return sys_madvise(at, mem_page_bytes(), MADV_COLD) == -EINVAL;
}

/*
 * The size of its pages: this advice is taken for whole ones only, means nothing
 * on them, and is taken back at once.
 */
static size_t page_bytes_of(uintptr_t at)
{
	for (size_t page = GRANULE; page && is_aligned(at, page); page *= 2) {
		if (sys_madvise(at, page, MADV_SEQUENTIAL) != 0)
			continue;
		sys_madvise(at, page, MADV_NORMAL);
		return page;
	}
	return GRANULE;
}

static void publish(const struct attach_was *a)
{
	pagemap_set(a->at, a->at + a->bytes,
		    word_make(PAGE_SEGMENT, a->prot, a->page_bytes, USE_SHM));
}

/* Under the lock. */
static void forget_at(uintptr_t at, struct attach_was *ret_was)
{
	struct attach_was *list = (struct attach_was *)lists.attached.at;
	size_t n = lists.attached.bytes / sizeof(*list);

	for (size_t i = 0; i < n; i++) {
		if (list[i].at != at)
			continue;
		*ret_was = list[i];
		list[i] = list[n - 1];
		lists.attached.bytes -= sizeof(*list);
		return;
	}
}

void attach_note(uintptr_t at, size_t bytes, int prot)
{
	struct attach_was a = { .known = true, .at = at, .prot = prot };
	struct attach_was stale;	/* unmapped or replaced without shmdt() */
	int err;

	if (!is_hugetlb(at))
		return;
	a.page_bytes = page_bytes_of(at);
	a.bytes = align_up(bytes, a.page_bytes);
	if (pagemap_prepare(at, at + a.bytes) != 0)
		return;
	lock_take(&lists.lock);
	forget_at(at, &stale);
	err = blob_add(&lists.attached, &a, sizeof(a));
	lock_drop(&lists.lock);
	if (err)
		return;
	rescue_arm();
	publish(&a);
}

/* Parts of it may have been unmapped since, and be other memory of ours now. */
static void take_back(const struct attach_was *a)
{
	uintptr_t end = a->at + a->bytes;
	page_word word;

	for (uintptr_t lo = a->at, hi; lo < end; lo = hi) {
		hi = pagemap_run(lo, end, &word);
		if (word_kind(word) == PAGE_SEGMENT)
			pagemap_set(lo, hi, 0);
	}
}

/* mremap() has moved it: the list knows the old place only. */
static void forget_moved(uintptr_t at)
{
	page_word word;
	uintptr_t end = pagemap_run(at, (uintptr_t)1 << PAGEMAP_ADDRESS_BITS, &word);

	if (word_kind(word) == PAGE_SEGMENT)
		pagemap_set(at, end, 0);
}

void attach_forget(uintptr_t at, struct attach_was *ret_was)
{
	*ret_was = (struct attach_was){ 0 };
	lock_take(&lists.lock);
	forget_at(at, ret_was);
	lock_drop(&lists.lock);
	if (ret_was->known)
		take_back(ret_was);
	else
		forget_moved(at);
}

void attach_restore(const struct attach_was *was)
{
	if (!was->known)
		return;
	lock_take(&lists.lock);
	blob_add(&lists.attached, was, sizeof(*was));
	lock_drop(&lists.lock);
	publish(was);
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
