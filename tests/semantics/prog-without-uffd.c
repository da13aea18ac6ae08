/* SPDX-License-Identifier: MIT */
/*
 * prog-without-uffd.c - run a program that may not use userfaultfd
 *
 *	prog-without-uffd [--but-for-threads] PROGRAM ARGUMENT...
 *
 * The system call says EPERM, as in a container under the usual seccomp filter,
 * and the device, where there is one, is hidden behind /dev/null. With
 * --but-for-threads the kind that everybody may have is left, for faults of threads
 * alone (UFFD_USER_MODE_ONLY). Exit status 77 when that can't be arranged.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define USER_MODE_ONLY 1
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOW_HALF 0
#else
#define LOW_HALF 4
#endif

/* @spared: a flag with which the call is let through; 0: none. */
static int refuse_call(unsigned spared)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_userfaultfd, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + LOW_HALF),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, spared, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(steps) / sizeof(steps[0]), steps };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

static int hide_device(void)
{
	if (access("/dev/userfaultfd", R_OK | W_OK))
		return 0;
	return unshare(CLONE_NEWNS) || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	       mount("/dev/null", "/dev/userfaultfd", NULL, MS_BIND, NULL);
}

int main(int argc, char **argv)
{
	unsigned spared = 0;

	if (argc > 1 && !strcmp(argv[1], "--but-for-threads")) {
		spared = USER_MODE_ONLY;
		argv++;
		argc--;
	}
	if (argc < 2)
		return 64;
	if (hide_device() || refuse_call(spared)) {
		perror("prog-without-uffd");
		return 77;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
