/* SPDX-License-Identifier: MIT */
/*
 * prog-seccomp.c - memory under a filter that kills for any call it doesn't list
 *
 * `prog-seccomp prctl|number|forbids [late]`: takes memory (late: none), sets the filter
 * (forbids: one that allows all but a few), and takes, gives back, cuts, grows and moves memory, in threads and children too. Says
 * "ready" when it has a mapping of 16 MiB made under the filter, and ends when its
 * input does. Exit 1: something was wrong. Dead of SIGSYS: a call that it doesn't make.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define RW (PROT_READ | PROT_WRITE)

/* What libc's malloc, threads and fork call, and what is written below. */
static const int allowed[] = {
	SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_futex,
	SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_read, SYS_write, SYS_exit, SYS_exit_group,
	SYS_getrandom, SYS_clone, SYS_clone3, SYS_set_robust_list, SYS_wait4,
#ifdef SYS_rseq
	SYS_rseq,
#endif
};
#define ALLOWED (sizeof(allowed) / sizeof(allowed[0]))

/* What is forbidden is a call that nobody here makes. */
static void forbid(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .filter = code, .len = sizeof(code) / sizeof(*code) };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(77);
}

static void filter(int by_number)
{
	struct sock_filter code[2 * ALLOWED + 2];
	struct sock_fprog program = { .filter = code };
	size_t n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ALLOWED; i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							 (unsigned)allowed[i], 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	program.len = (unsigned short)n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    (by_number ? syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) :
			 prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)))
		_exit(77);
}

static void must(int is_so, char where)
{
	if (is_so)
		return;
	if (write(2, &where, 1) == 1)
		_exit(1);
}

static char *map(size_t bytes)
{
	char *at = mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(at != MAP_FAILED, 'm');
	return at;
}

static void fill(char *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 512)
		at[i] = (char)(i >> 9 | 1);
}

static int holds(const char *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 512)
		if (at[i] != (char)(i >> 9 | 1))
			return 0;
	return 1;
}

static void heap(void)
{
	char *blocks[64];

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 64; i++) {
			blocks[i] = malloc(100 + i * i * 300);
			must(blocks[i] != NULL, 'h');
			fill(blocks[i], 100 + i * i * 300);
		}
		for (size_t i = 0; i < 64; i++)
			must(holds(blocks[i], 100 + i * i * 300), 'H');
		blocks[0] = realloc(blocks[0], 9 * MIB);
		blocks[0] = realloc(blocks[0], 19 * MIB);
		for (size_t i = 0; i < 64; i++)
			free(blocks[i]);
	}
}

/* Of memory from before the filter, or from after it. A refusal is ENOMEM, and changes nothing. */
static void cut(char *at)
{
	fill(at, 8 * MIB);
	must(munmap(at, 4096) == 0, 'u');
	must(munmap(at + 8 * MIB - 4096, 4096) == 0, 'U');
	if (mprotect(at + 2 * MIB, 4096, PROT_READ) == 0)
		must(mprotect(at + 2 * MIB, 4096, RW) == 0, 'p');
	else
		must(errno == ENOMEM, 'P');
	must(madvise(at + 4 * MIB, 512 << 10, MADV_DONTNEED) == 0, 'd');
	must(at[4 * MIB + 512] == 0, 'D');
	fill(at + 4 * MIB, 512 << 10);
	for (size_t i = 4096; i < 8 * MIB - 4096; i += 512)
		must((at[i] != 0), 'c');
	must(munmap(at + 6 * MIB, 2 * MIB) == 0, 'v');
}

static void *in_thread(void *arg)
{
	char *at = map(4 * MIB);

	fill(at, 4 * MIB);
	must(munmap(at, 4 * MIB) == 0, 't');
	return arg;
}

static void thread(void)
{
	pthread_t t;

	must(pthread_create(&t, NULL, in_thread, NULL) == 0, 'T');
	must(pthread_join(t, NULL) == 0, 'j');
}

/* Both write to all they share. */
static void child(char *at, size_t bytes)
{
	int status = -1;
	pid_t pid = fork();

	must(pid >= 0, 'f');
	fill(at, bytes);
	if (pid == 0) {
		must(holds(at, bytes), 'F');
		heap();
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && status == 0, 'w');
	must(holds(at, bytes), 'W');
}

int main(int argc, char **argv)
{
	const int late = argc > 2 && !strcmp(argv[2], "late");
	char *before = NULL, *kept = NULL, *moved, *after, c;

	if (argc < 2)
		return 2;
	if (!late) {
		before = map(8 * MIB);
		kept = map(8 * MIB);
		fill(kept, 8 * MIB);
		heap();
	}
	if (!strcmp(argv[1], "forbids"))
		forbid();
	else
		filter(!strcmp(argv[1], "number"));
	heap();
	after = map(8 * MIB);
	cut(after);
	if (before)
		cut(before);
	moved = map(4 * MIB);
	fill(moved, 4 * MIB);
	moved = mremap(moved, 4 * MIB, 12 * MIB, MREMAP_MAYMOVE);
	must(moved != MAP_FAILED && holds(moved, 4 * MIB), 'r');
	thread();
	if (kept)
		child(kept, 8 * MIB);
	child(moved, 12 * MIB);
	heap();
	must(munmap(moved, 12 * MIB) == 0, 'n');
	fill(map(16 * MIB), 16 * MIB);
	must(write(1, "ready\n", 6) == 6, 'o');
	while (read(0, &c, 1) > 0)
		;
	exit(0);
}
