/* SPDX-License-Identifier: MIT */
/*
 * writers.c - userfaultfd write-protection without anybody reading faults
 *
 * Pitfalls.
 * 1. Nobody reads the userfaultfd: a thread that faults sleeps in the kernel
 *    until UFFDIO_WAKE or close(), then faults again, on whatever is mapped
 *    there by then. Killing the demoter closes the descriptor and frees it.
 * 2. Write-protection on huge pages needs UFFD_FEATURE_WP_HUGETLBFS_SHMEM
 *    (Linux 5.19); older kernels end up at WRITERS_ALONE.
 * 3. /dev/userfaultfd gives the full kind without privilege where its mode
 *    allows; the system call without CAP_SYS_PTRACE only when the
 *    administrator set vm.unprivileged_userfaultfd.
 * 4. A mapping without PROT_WRITE needs nobody held: it isn't written. (The
 *    program's own mprotect() waits for our claim.)
 */
#include "core/act/writers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>

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

static long open_device(void)
{
	long device = sys_openat(AT_FDCWD, "/dev/userfaultfd", O_RDWR, 0);
	long fd;

	if (device < 0)
		return device;
	fd = sys_ioctl((int)device, USERFAULTFD_IOC_NEW, (void *)(uintptr_t)O_CLOEXEC);
	sys_close((int)device);
	return fd;
}

static int greet(int fd)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
	};

	return (int)sys_ioctl(fd, UFFDIO_API, &api);
}

/* A descriptor that can write-protect huge pages, the full kind if we may. */
static int open_uffd(enum writers_way *ret_way)
{
	long fd = sys_call(SYS_userfaultfd, O_CLOEXEC, 0, 0, 0, 0, 0);

	*ret_way = WRITERS_WAIT;
	if (fd < 0)
		fd = open_device();
	if (fd < 0) {
		*ret_way = WRITERS_USER;
		fd = sys_call(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY, 0, 0, 0, 0, 0);
	}
	if (fd < 0)
		return (int)fd;

	int err = greet((int)fd);

	if (err) {
		sys_close((int)fd);
		return err;
	}
	return (int)fd;
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

static int hold_by_uffd(struct writers *w)
{
	struct uffdio_register reg = {
		.range = { .start = w->at, .len = w->bytes },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	int fd = open_uffd(&w->way);
	int err;

	if (fd < 0)
		return fd;
	err = (int)sys_ioctl(fd, UFFDIO_REGISTER, &reg);
	if (!err)
		err = protect(fd, w->at, w->bytes, UFFDIO_WRITEPROTECT_MODE_WP);
	if (err) {
		sys_close(fd);
		return err;
	}
	w->fd = fd;
	return 0;
}

int writers_hold(uintptr_t at, size_t bytes, int prot, struct writers *ret_w)
{
	struct writers w = { .way = WRITERS_ALONE, .fd = -1, .at = at, .bytes = bytes, .prot = prot };

	if ((prot & PROT_WRITE) && hold_by_uffd(&w) != 0) {
		if (!__libc_single_threaded)
			return -EBUSY;
		w.way = WRITERS_ALONE;
	}
	*ret_w = w;
	return 0;
}

void writers_release(struct writers *w)
{
	struct uffdio_range range = { .start = w->at, .len = w->bytes };

	if (w->fd < 0)
		return;
	sys_ioctl(w->fd, UFFDIO_WAKE, &range);
	sys_close(w->fd);
	w->fd = -1;
}

void writers_give_up(struct writers *w)
{
	struct uffdio_range range = { .start = w->at, .len = w->bytes };

	if (w->fd < 0)
		return;
	protect(w->fd, w->at, w->bytes, 0);
	sys_ioctl(w->fd, UFFDIO_UNREGISTER, &range);
	writers_release(w);
}
