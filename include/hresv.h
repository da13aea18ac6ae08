/* SPDX-License-Identifier: MIT */
/*
 * hresv.h - huge pages asked for by hand: what can be had, exactly this or nothing,
 *           as much of it as there is, and what became of it
 *
 * Link with -lhresv-malloc (pkg-config hresv), or with -lhresv; a program started
 * under libhresv.so uses the copy in there, whatever it was linked with. Neither can
 * be opened by dlopen(3): their thread-local memory must be there from the start.
 *
 * Errors. Functions that can fail return 0 (or a number >= 0 where said) or a
 * negative error, and leave what ret_ arguments point to untouched then. An error
 * above -4096 is -errno. Below are shortages: huge pages could not be had, and the
 * error names what bound: HRESV_SHORT(reason). Any function that takes huge pages
 * may return any of these. hresv_strerror() has words for both kinds. Nothing is
 * ever printed, and errno is never changed.
 *
 * Threads and signals. All functions may be called from any thread at the same time,
 * before main(), and in the child of a fork. Where nothing else is said they are
 * also safe in a signal handler. None calls malloc, but hresv_release_now().
 *
 * Processes. AT_SECURE (set-user-ID) and HUGETLB_RESTRICT_EXE switch libhresv off: then
 * memory is small, and reservations are HRESV_SHORT(HRESV_FILTERED).
 *
 * The ABI is stable from HRESV_1.0 on: structures grow only into their spare
 * members, which are 0, and reasons keep their numbers.
 */
#ifndef HRESV_H
#define HRESV_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define HRESV_API __attribute__((visibility("default")))
#else
#define HRESV_API
#endif

#define HRESV_VERSION 10000	/* 1.0: major * 10000 + minor */

/* ---- Reasons and errors ------------------------------------------------------ */

/* Why memory is not huge, or not any more. New ones are added at the end. */
enum hresv_reason {
	HRESV_HUGE = 0,			/* it is huge */
	/* the request is of a kind that is left alone */
	HRESV_TOO_SMALL = 1,
	HRESV_NOT_WRITABLE = 2,
	HRESV_NORESERVE = 3,
	HRESV_STACK = 4,
	HRESV_FIXED = 5,
	HRESV_FILTERED = 6,		/* HUGETLB_RESTRICT_EXE, or set-user-ID */
	/* something has no more to give */
	HRESV_OWN_LIMIT = 7,		/* HUGETLB_LIMIT, HUGETLB_KEEP_FREE, hresv_policy_set() */
	HRESV_POOL = 8,			/* the pool: free pages nobody has reserved */
	HRESV_OVERCOMMIT = 9,		/* the same, with nr_overcommit_hugepages */
	HRESV_NODE = 10,		/* the nodes that policy, cpuset or request allow */
	HRESV_CGROUP_FAULT = 11,	/* hugetlb.<size>.max of a group above us */
	HRESV_CGROUP_RSVD = 12,		/* hugetlb.<size>.rsvd.max of a group above us */
	HRESV_MEMCG = 13,		/* huge pages are charged to a memory limit */
	HRESV_MOUNT = 14,		/* the quota of the HUGETLB_PATH mount */
	HRESV_EPERM = 15,
	HRESV_MEMLOCK = 16,
	HRESV_ALIGNMENT = 17,		/* the tail behind the last whole page */
	HRESV_NOT_YET = 18,		/* beyond HUGETLB_EAGER_MAX */
	HRESV_NO_MEMORY = 19,		/* address space, mappings, memory for records */
	/* it was huge once */
	HRESV_DEMOTED_MUNMAP = 20,
	HRESV_DEMOTED_MPROTECT = 21,
	HRESV_DEMOTED_MADVISE = 22,
	HRESV_DEMOTED_MREMAP = 23,
	HRESV_FORK = 24,
	HRESV_RESCUE = 25,
	HRESV_STATIC_OR_SETUID = 26,
	HRESV_OTHER = 27,		/* a reason newer than your header knows */
	HRESV_SECCOMP = 28		/* the program filters its own system calls */
};

#define HRESV_SHORT(reason) (-(4096 + (int)(reason)))

/**
 * hresv_strerror - words for an error of ours, such as "the pool has no more free pages"
 * Return: a constant text, never NULL, in English.
 */
HRESV_API const char *hresv_strerror(int error);

/* The reason in an error; HRESV_HUGE when it is none of a shortage. */
HRESV_API enum hresv_reason hresv_reason_of(int error);

/* "pool-short" and so on, as in the table of HUGETLB_VERBOSE=2. A constant, never NULL. */
HRESV_API const char *hresv_reason_name(enum hresv_reason reason);

/**
 * hresv_explain - an error as one sentence with names and numbers, read now
 * @page_bytes: the page size that was asked for, 0: the default
 * @buf, @room: where it is written, cut to @room bytes, zero byte included
 *
 * "hugetlb.max of /sys/fs/cgroup/pod is full: 4194304 of 4194304 bytes". Facts move:
 * where the limit has room again by now, the text says what hresv_strerror() says.
 *
 * Return: its length without the zero byte had there been room, as snprintf(3).
 */
HRESV_API size_t hresv_explain(int error, size_t page_bytes, char *buf, size_t room);

/* ---- Facts --------------------------------------------------------------------- */

/**
 * hresv_page_sizes - the huge page sizes of this kernel, in bytes, ascending
 * @ret_bytes: room for @room of them; may be NULL when @room is 0
 *
 * Source: /sys/kernel/mm/hugepages, read once.
 * Return: how many there are, which may be more than @room; 0: no huge pages here.
 */
HRESV_API size_t hresv_page_sizes(size_t *ret_bytes, size_t room);

/* The size used where 0 is given: HUGETLB_DEFAULT_PAGE_SIZE or the kernel's; 0: none. */
HRESV_API size_t hresv_default_page_bytes(void);

/* Counts are in pages. */
struct hresv_pool {
	uint64_t total;		/* surplus included */
	uint64_t free;
	uint64_t reserved;	/* of the free ones; 0 of a single node, which has no count */
	uint64_t surplus;
	uint64_t overcommit;	/* most surplus pages; 0 of a single node */
	uint64_t promised;	/* free, and counted on by running children (man 7) */
	uint64_t spare[2];
};

#define HRESV_ALL_NODES (-1)

/**
 * hresv_pool_query - the kernel's pool of one huge page size
 * @page_bytes: 0: the default
 * @node:       a NUMA node, or HRESV_ALL_NODES
 *
 * The counters are read one after another: they may disagree and are stale on
 * return. Plan with them; only memory that is there is proof.
 *
 * Source: /sys/kernel/mm/hugepages/hugepages-<N>kB/, /sys/devices/system/node/node<N>/hugepages/;
 * /proc/meminfo when /sys is hidden and the size is the default.
 *
 * Return: 0; -EINVAL ret_pool is NULL, no power of two, or a node below -1;
 * -ENOENT no such pool or node; -EACCES hidden; -EBADMSG, -ERANGE a counter is no number;
 * -ENOMEM; other -errno of open(2) and read(2).
 */
HRESV_API int hresv_pool_query(size_t page_bytes, int node, struct hresv_pool *ret_pool);

#define HRESV_PATH_SHOWN 256

struct hresv_budget {
	uint64_t bytes;			/* what could be had now; UINT64_MAX: nothing known binds */
	enum hresv_reason binds;	/* what a request for more would meet first */
	uint32_t page_bytes_log2;
	uint64_t limit;			/* of what binds, in bytes, where it is a limit; else 0 */
	uint64_t used;			/* of that limit */
	char where[HRESV_PATH_SHOWN];	/* a control group or mount, cut to this; "" */
	uint64_t spare[4];
};

/**
 * hresv_budget_query - how much this process could take now, and who binds it
 * @page_bytes: 0: the default
 * @node:       a NUMA node, or HRESV_ALL_NODES (those policy and cpuset allow)
 *
 * The minimum over: free pages of the pool less those reserved and promised, the room
 * of every control group above us, the quota of the HUGETLB_PATH mount, the nodes
 * allowed, HUGETLB_LIMIT and _KEEP_FREE. As stale as hresv_pool_query().
 *
 * Return: 0; -EINVAL, -ENOENT as above; -ENOMEM.
 */
HRESV_API int hresv_budget_query(size_t page_bytes, int node, struct hresv_budget *ret_budget);

/* ---- What is wanted ---------------------------------------------------------------- */

enum hresv_flags {
	HRESV_PRIVATE = 1,	/* a reservation of this process alone */
	HRESV_LADDER = 2,	/* a reservation: in smaller pages where these can't be had */
	HRESV_STRICT = 4,	/* an allocation: every whole page huge, or an error */
	HRESV_ON_NODE = 8,	/* on @node and no other */
	HRESV_INTERLEAVE = 16	/* page by page over the nodes allowed */
};

/* All members not named in an initializer are 0, which is right for each of them. */
struct hresv_want {
	size_t bytes;
	size_t page_bytes;	/* 0: the default */
	unsigned flags;		/* of enum hresv_flags */
	int node;		/* with HRESV_ON_NODE */
	uint64_t spare[4];
};

/* ---- Reservations -------------------------------------------------------------------- */

/*
 * A reservation holds huge pages: not a count that others may undercut, but the pages
 * themselves. No other process, no fork, no control group and no shrinking of
 * the pool takes them away, and memory mapped from it is there at every touch.
 *
 * A shared one (the default) is a file without a name. Any number of mappings of any
 * part of it, here, in children and in other processes, show the same memory. It goes
 * to a child by fork, to others by its descriptor (hresv_reservation_fd(), SCM_RIGHTS,
 * or kept open across exec), and ends with its last holder and mapping.
 *
 * A private one belongs to the process that made it. What is mapped from it is private
 * memory: a fork copies it, and may make it small to do so, as man 7 says.
 * After a fork the child's copy of the handle is empty: -ESTALE, only hresv_release().
 */
struct hresv_reservation;

/**
 * hresv_reserve - hold exactly this much, or nothing
 * @want: bytes are rounded up to whole pages. PRIVATE, LADDER, ON_NODE or INTERLEAVE
 *
 * With LADDER all pages are of the largest size, from page_bytes down, in which all of it
 * can be had. Takes as long as writing to the pages: some 40 ms a GiB. Memory reads as zero.
 *
 * Return: 0; -EINVAL an argument is NULL, bytes is 0, or a flag is unknown or does not
 * fit; -ENOENT no such page size; -ENODEV no such node; -EOVERFLOW; -ENOMEM, -EMFILE,
 * -ENFILE no room for records or descriptors; HRESV_SHORT(...).
 */
HRESV_API int hresv_reserve(const struct hresv_want *want, struct hresv_reservation **ret_reservation);

/**
 * hresv_reserve_all - all of @n reservations, or none
 * Return: as hresv_reserve(); the error is that of the first that could not be had.
 */
HRESV_API int hresv_reserve_all(const struct hresv_want *wants, size_t n,
				struct hresv_reservation **ret_reservations);

struct hresv_reservation_info {
	size_t bytes;		/* held now, mapped or not */
	size_t page_bytes;
	size_t lost_bytes;	/* private: mapped parts a fork made small, or that were unmapped
				   by other means than hresv_unmap() */
	unsigned flags;		/* HRESV_PRIVATE or 0 */
	unsigned zero;
	uint64_t spare[4];
};

/**
 * hresv_reservation_query - what it holds now
 * Return: 0; -EINVAL; -ESTALE; -errno of fstat(2).
 */
HRESV_API int hresv_reservation_query(struct hresv_reservation *reservation,
				      struct hresv_reservation_info *ret_info);

/**
 * hresv_reservation_fd - the descriptor of a shared reservation
 *
 * It stays the reservation's: do not close it. It is close-on-exec; send it, or
 * dup(2) it for a program to be executed. Whoever has it can cut the file: for those you trust.
 * Return: the descriptor; -EINVAL; -EOPNOTSUPP it is private.
 */
HRESV_API int hresv_reservation_fd(struct hresv_reservation *reservation);

/**
 * hresv_reservation_open - a reservation of this process from a descriptor of one
 * @fd: is duplicated, and may be closed afterwards
 *
 * Return: 0; -EINVAL; -EBADF; -ENODEV it is no file of huge pages; -ESTALE it has less
 * pages than bytes: it is no reservation; -EMFILE; -ENOMEM.
 */
HRESV_API int hresv_reservation_open(int fd, struct hresv_reservation **ret_reservation);

/**
 * hresv_map - memory from a reservation
 * @offset, @bytes: whole pages within it; bytes 0: all behind @offset
 * @prot:           PROT_ of mmap(2); 0 is PROT_READ | PROT_WRITE
 *
 * Shared: as often as wanted, also the same part. Private: a part can be mapped once at a
 * time; what has been unmapped is zero when it is mapped again.
 *
 * Return: 0; -EINVAL; -ERANGE not within the reservation; -EBUSY the part is mapped
 * (private), or is being given back; -ESTALE; -ENOMEM; -errno of mmap(2), mprotect(2).
 */
HRESV_API int hresv_map(struct hresv_reservation *reservation, size_t offset, size_t bytes, int prot,
			void **ret_at);

/**
 * hresv_unmap - [at, at + bytes), mapped from the reservation, is unmapped
 *
 * The pages stay with the reservation. Whole pages only. Private: pages that are not huge any more, or
 * whose protection was changed, are unmapped and lost to the reservation.
 *
 * Return: 0; -EINVAL not whole pages, or (private) not mapped from it; -ESTALE; -ENOMEM.
 */
HRESV_API int hresv_unmap(struct hresv_reservation *reservation, void *at, size_t bytes);

/**
 * hresv_shrink - keep the first @bytes, rounded up to pages; the rest goes back to the pool
 * Return: 0; -EINVAL; -ERANGE more than it has; -EBUSY some of the rest is mapped, here
 * or in any process: nothing is given back; -ESTALE; -EOPNOTSUPP /proc is hidden;
 * -errno of ftruncate(2), munmap(2).
 */
HRESV_API int hresv_shrink(struct hresv_reservation *reservation, size_t bytes);

/**
 * hresv_release - the end of this handle
 *
 * What is mapped from it stays mapped; shared pages go back to the pool with the last
 * handle and mapping in any process. Private memory that is still mapped is then to be given
 * back with hresv_free(). NULL is allowed.
 */
HRESV_API void hresv_release(struct hresv_reservation *reservation);

/* ---- Placement --------------------------------------------------------------------------- */

/**
 * hresv_alloc - private memory, zero, huge as far as there are pages
 * @want:           bytes are rounded up to base pages, never to huge ones. STRICT, ON_NODE or INTERLEAVE
 * @ret_huge_bytes: how much is huge, from the start; may be NULL
 *
 * As a rerouted mmap(2): page sizes from page_bytes down, then small pages, advised for the kernel's
 * transparent huge pages. Without STRICT only a lack of memory altogether is an error, and
 * HUGETLB_EAGER_MAX bounds what is taken at once. Nodes hold for the huge and the
 * small part, and stay with the mapping (mbind(2)).
 *
 * Return: 0; -EINVAL, -ENOENT, -ENODEV as hresv_reserve(); -ENOMEM; with STRICT HRESV_SHORT(...).
 */
HRESV_API int hresv_alloc(const struct hresv_want *want, void **ret_at, size_t *ret_huge_bytes);

/**
 * hresv_free - unmaps [at, at + bytes); any part of an allocation, at base page lines
 * Return: 0; -EINVAL; -ENOMEM: as munmap(2).
 */
HRESV_API int hresv_free(void *at, size_t bytes);

/**
 * hresv_resize - as mremap(2) with MREMAP_MAYMOVE: the content stays, the address may not
 * Return: 0 and *ret_at; -EINVAL; -EFAULT; -ENOMEM: all is as it was.
 */
HRESV_API int hresv_resize(void *at, size_t bytes, size_t new_bytes, void **ret_at);

/**
 * hresv_huge_bytes - how much of [at, at + bytes) lies on huge pages libhresv knows of
 *
 * Memory of hresv_alloc(), hresv_map(), malloc, rerouted mappings and segments and, under
 * libhresv.so, the program's own MAP_HUGETLB. Transparent huge pages do not count.
 * Costs two loads for 2 MiB.
 */
HRESV_API size_t hresv_huge_bytes(const void *at, size_t bytes);

/**
 * hresv_give_back - the content of [at, at + bytes) is not needed: zero from now on
 *
 * Base page lines. Whole huge pages go back to the pool at once, and the range is small until
 * hresv_take_again() or a promotion. Of shared memory of ours only the content goes.
 * Return: 0; -EINVAL; -ENOMEM: as madvise(2).
 */
HRESV_API int hresv_give_back(void *at, size_t bytes);

/**
 * hresv_take_again - small memory of hresv_alloc() becomes huge, content and all
 * @ret_huge_bytes: how much of the range is huge then; may be NULL; set on a shortage too
 *
 * Works on whole pages of 2 MiB inside the range; the rest is left. Threads that write to a page
 * meanwhile wait for one copy.
 * Return: 0: all whole pages are huge; -EINVAL; -EBUSY some can't be swapped now
 * (writers that can't be held, I/O that pins memory, Linux before 5.16);
 * HRESV_SHORT(...).
 */
HRESV_API int hresv_take_again(void *at, size_t bytes, size_t *ret_huge_bytes);

/* ---- Observing ------------------------------------------------------------------------------ */

#define HRESV_REASONS_ROOM 64

/* Since the process started; bytes where not said otherwise. */
struct hresv_counters {
	uint64_t requests;		/* number of, that could have become huge */
	uint64_t asked;
	uint64_t huge;			/* of it, huge when the request was answered */
	uint64_t huge_now;		/* held now; what HUGETLB_LIMIT bounds */
	uint64_t huge_peak;
	uint64_t own_requests;		/* the program's own MAP_HUGETLB and the like: number */
	uint64_t own_refused;		/* number of them */
	uint64_t own_huge;
	uint64_t demoted_pages;
	uint64_t promoted_pages;
	uint64_t rescued_pages;
	uint64_t fallbacks;		/* number of events, as for hresv_fallback_fd() */
	uint64_t small[HRESV_REASONS_ROOM];	/* not huge, by enum hresv_reason */
};

/**
 * hresv_counters_read - the counters of this process, now
 * @room: sizeof(struct hresv_counters) as you know it; no more is written
 * Return: how many bytes were written: less than @room from an older library.
 */
HRESV_API size_t hresv_counters_read(struct hresv_counters *ret_counters, size_t room);

/**
 * hresv_fallback_fd - a descriptor that becomes readable when something falls back
 *
 * An eventfd: something asked for did not become huge for want of pages, or
 * something huge was made small. read(2) of 8 bytes gives how often since the last read, never
 * blocks, and makes it unreadable again. One for the process, the same at each call; it stays
 * the library's: do not close it. A fork child has none until it asks.
 *
 * Return: the descriptor; -EMFILE, -ENFILE, -ENOMEM.
 */
HRESV_API int hresv_fallback_fd(void);

enum hresv_policy_set_what {
	HRESV_SET_LIMIT = 1,
	HRESV_SET_KEEP_FREE = 2
};

struct hresv_policy {
	unsigned set;			/* which of the following hresv_policy_set() looks at */
	unsigned zero;
	uint64_t limit_bytes;		/* HUGETLB_LIMIT; UINT64_MAX: none */
	uint64_t keep_free_pages;	/* HUGETLB_KEEP_FREE */
	uint64_t spare[4];
};

/* What holds now, from the environment or from hresv_policy_set(); set has all bits. -EINVAL: NULL. */
HRESV_API int hresv_policy_get(struct hresv_policy *ret_policy);

/**
 * hresv_policy_set - changes the limits of the running process, for all requests from now on
 *
 * What is held already stays; hresv_release_now() and hresv_give_back() lower it.
 * Waits for operations under way. Not in a signal handler.
 * Return: 0; -EINVAL; -ENOMEM; HRESV_SHORT(HRESV_FILTERED).
 */
HRESV_API int hresv_policy_set(const struct hresv_policy *policy);

/**
 * hresv_release_now - gives back huge pages that hold nothing the program needs
 * @ret_bytes: how many bytes, may be NULL
 *
 * What the heap keeps for later (malloc_trim(3)). Not in a signal handler.
 * Return: 0.
 */
HRESV_API int hresv_release_now(uint64_t *ret_bytes);

#ifdef __cplusplus
}
#endif

#endif
