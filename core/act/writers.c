/* SPDX-License-Identifier: MIT */
/*
 * writers.c - userfaultfd write-protection without anybody reading faults
 *
 * Pitfalls.
 * 1. Nobody reads the userfaultfd: a thread that faults sleeps in the kernel
 *    until UFFDIO_WAKE or close(), then faults again, on whatever is mapped
 *    there by then. Killing the demoter closes the descriptor and frees it.
 * 2. Write-protection on huge pages needs UFFD_FEATURE_WP_HUGETLBFS_SHMEM
 *    (Linux 5.19); older kernels end up at WRITERS_FAULT.
 * 3. /dev/userfaultfd gives the full kind without privilege where its mode
 *    allows; the system call without CAP_SYS_PTRACE only when the
 *    administrator set vm.unprivileged_userfaultfd.
 * 4. Who writes through /proc/PID/mem or ptrace looks a page up and stores to it under the lock
 *    of the address space, without waiting; who looked before the protection may store after
 *    it. Registering again takes that lock for itself, and so waits until they have.
 * 5. A mapping without PROT_WRITE needs nobody held: it isn't written. (The
 *    program's own mprotect() waits for our claim.)
 */
#include "core/act/writers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "core/act/front.h"
#include "core/act/pagemap.h"
#include "core/base/self.h"
#include "core/base/sys.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif
#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
#endif
#define OPEN_FLAGS (O_CLOEXEC | O_NONBLOCK)	/* blocking, poll() always says POLLERR */
#define NEEDED (UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM)

/* Changed and read by atomics alone. */
static struct {
	int standing;		/* descriptor + 1; 0: none */
	uint64_t windows;	/* times writers were held but for system calls */
} state;

static __thread uint64_t windows_seen __attribute__((tls_model("initial-exec")));

static long open_device(void)
{
	long device = sys_openat(AT_FDCWD, "/dev/userfaultfd", O_RDWR, 0);
	long fd;

	if (device < 0)
		return device;
	fd = sys_ioctl((int)device, USERFAULTFD_IOC_NEW, (void *)(uintptr_t)OPEN_FLAGS);
	sys_close((int)device);
	return fd;
}

static int greet(int fd, uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = NEEDED | features };

	return (int)sys_ioctl(fd, UFFDIO_API, &api);
}

static int greeted(long fd, uint64_t features)
{
	int err = fd < 0 ? (int)fd : greet((int)fd, features);

	if (fd >= 0 && err)
		sys_close((int)fd);
	return err ? err : (int)fd;
}

int writers_open_full(uint64_t features)
{
	long fd = sys_call(SYS_userfaultfd, OPEN_FLAGS, 0, 0, 0, 0, 0);

	return greeted(fd < 0 ? open_device() : fd, features);
}

/* A descriptor that can write-protect huge pages, the full kind if we may. */
static int open_uffd(enum writers_way *ret_way)
{
	int fd = writers_open_full(0);

	*ret_way = WRITERS_WAIT;
	if (fd >= 0)
		return fd;
	*ret_way = WRITERS_USER;
	return greeted(sys_call(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY, 0, 0, 0, 0, 0),
		       0);
}

static int protect(int fd, uintptr_t at, size_t bytes, uint64_t mode)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = at, .len = bytes },
		.mode = mode,
	};
	long err;

	do
		err = sys_ioctl(fd, UFFDIO_WRITEPROTECT, &wp);
	while (err == -EAGAIN || err == -EINTR);
	return (int)err;
}

int writers_protect(int fd, uintptr_t at, size_t bytes, bool on)
{
	return protect(fd, at, bytes, on ? UFFDIO_WRITEPROTECT_MODE_WP : 0);
}

int writers_register(int fd, uintptr_t at, size_t bytes)
{
	struct uffdio_register reg = {
		.range = { .start = at, .len = bytes },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};

	return (int)sys_ioctl(fd, UFFDIO_REGISTER, &reg);
}

void writers_wake(int fd, uintptr_t at, size_t bytes)
{
	struct uffdio_range range = { .start = at, .len = bytes };

	sys_ioctl(fd, UFFDIO_WAKE, &range);
}

int writers_leave(int fd, uintptr_t at, size_t bytes)
{
	struct uffdio_range range = { .start = at, .len = bytes };
	int err = (int)sys_ioctl(fd, UFFDIO_UNREGISTER, &range);

	writers_wake(fd, at, bytes);
	return err;
}

void writers_stand(int fd)
{
	__atomic_store_n(&state.standing, fd + 1, __ATOMIC_RELEASE);
}

/* Protected, and nobody is writing any more who began before. */
static int protect_and_wait(int fd, uintptr_t at, size_t bytes)
{
	int err = writers_protect(fd, at, bytes, true);

	return err ? err : writers_register(fd, at, bytes);
}

static bool hold_by_standing(struct writers *w)
{
	int fd = __atomic_load_n(&state.standing, __ATOMIC_ACQUIRE) - 1;

	if (fd < 0 || self_is_copy() || protect_and_wait(fd, w->at, w->bytes) != 0)
		return false;
	w->way = WRITERS_WAIT;
	w->fd = fd;
	w->standing = true;
	return true;
}

static bool hold_by_uffd(struct writers *w)
{
	int fd = open_uffd(&w->way);

	if (fd < 0)
		return false;
	if (writers_register(fd, w->at, w->bytes) != 0 ||
	    protect_and_wait(fd, w->at, w->bytes) != 0) {
		protect(fd, w->at, w->bytes, 0);
		sys_close(fd);
		return false;
	}
	w->fd = fd;
	if (w->way == WRITERS_USER)
		__atomic_fetch_add(&state.windows, 1, __ATOMIC_SEQ_CST);
	return true;
}

/*
 * The handler must be there before the first thread can need it. What may be written may
 * be read, on the processors there are: so it stays, for system calls that only read it.
 */
static int hold_by_fault(struct writers *w)
{
	const int held = (w->prot & ~PROT_WRITE) | PROT_READ;
	long err;

	if (!front_arm(SIGSEGV))
		return -EBUSY;
	w->way = WRITERS_FAULT;
	__atomic_fetch_add(&state.windows, 1, __ATOMIC_SEQ_CST);
	err = sys_mprotect(w->at, w->bytes, held);
	if (err == 0)
		return 0;
	writers_give_up(w);	/* the first of several mappings may be held already */
	return err == -ENOMEM ? -ENOMEM : -EBUSY;
}

/* A directory has a link of its own, one from above, and one from each below. */
bool writers_are_one(void)
{
	long fd = sys_openat(AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY, 0);
	struct stat st;
	long err;

	if (fd < 0)
		return __libc_single_threaded;
	err = sys_fstat((int)fd, &st);
	sys_close((int)fd);
	return err ? __libc_single_threaded : st.st_nlink == 3;
}

int writers_hold(uintptr_t at, size_t bytes, int prot, struct writers *ret_w)
{
	struct writers w = { .way = WRITERS_ALONE, .fd = -1, .at = at, .bytes = bytes, .prot = prot };

	int err = 0;

	if ((prot & PROT_WRITE) && !hold_by_standing(&w) && !hold_by_uffd(&w)) {
		w.way = WRITERS_ALONE;
		if (!writers_are_one())
			err = hold_by_fault(&w);
	}
	if (!err)
		*ret_w = w;
	return err;
}

void writers_none(struct writers *ret_w)
{
	*ret_w = (struct writers){ .way = WRITERS_ALONE, .fd = -1 };
}

/*
 * A window is counted when it opens and when it closes: a thread that had spent the
 * first count on another fault, and ran into the window after that, has the second.
 * The claim is still held here, so a handler that comes earlier waits for that.
 */
static void let_go(struct writers *w)
{
	if (w->way == WRITERS_FAULT || w->way == WRITERS_USER)
		__atomic_fetch_add(&state.windows, 1, __ATOMIC_SEQ_CST);
	if (w->fd >= 0 && !w->standing)
		sys_close(w->fd);
	w->fd = -1;
}

void writers_release(struct writers *w)
{
	if (w->fd >= 0)
		writers_wake(w->fd, w->at, w->bytes);
	let_go(w);
}

/* What a standing one protects it goes on protecting: its reader decides. */
void writers_give_up(struct writers *w)
{
	if (w->way == WRITERS_FAULT)
		sys_mprotect(w->at, w->bytes, w->prot);
	if (w->fd >= 0 && !w->standing) {
		protect(w->fd, w->at, w->bytes, 0);
		writers_leave(w->fd, w->at, w->bytes);
	}
	let_go(w);
}

bool writers_were_held(void)
{
	return __atomic_load_n(&state.windows, __ATOMIC_RELAXED) != 0;
}

bool writers_wait(uintptr_t at)
{
	uint64_t windows;

	if (pagemap_wait(at))
		return true;
	/*
	 * The window this thread ran into may have closed before it came here, and
	 * the word may be gone. So every window is good for one more try, or two.
	 */
	windows = __atomic_load_n(&state.windows, __ATOMIC_SEQ_CST);
	if (windows == windows_seen)
		return false;
	windows_seen = windows;
	return true;
}
