// SPDX-License-Identifier: MIT
/*
 * prog-hold.c - maps what its arguments say, touches it, says "ready", and stays
 *
 * Each argument is a number of MiB of private memory. "fork" in front forks a child
 * that stays too, after writing to all of it; "copy" makes a process that has the same
 * memory, as vfork(2) does. Ends when standard input does.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void stay(void)
{
	char byte;

	while (read(0, &byte, 1) > 0)
		;
	exit(0);
}

static int wait_for_signal(void *none)
{
	(void)none;
	return pause();
}

static void copy(void)
{
	static char stack[1 << 16] __attribute__((aligned(16)));

	printf("copy %d\n", clone(wait_for_signal, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL));
}

int main(int argc, char **argv)
{
	int forks = argc > 1 && strcmp(argv[1], "fork") == 0;
	int copies = argc > 1 && strcmp(argv[1], "copy") == 0;
	struct { char *at; size_t bytes; } part[64];
	int n = 0;

	for (int i = 1 + forks + copies; i < argc && n < 64; i++, n++) {
		part[n].bytes = strtoul(argv[i], NULL, 10) << 20;
		part[n].at = mmap(NULL, part[n].bytes, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (part[n].at == MAP_FAILED)
			return 1;
		memset(part[n].at, 1, part[n].bytes);
	}
	if (forks) {
		pid_t child = fork();

		if (child == 0) {
			for (int i = 0; i < n; i++)
				memset(part[i].at, 2, part[i].bytes);
			printf("child %d\n", getpid());
			fflush(stdout);
			stay();
		}
		if (child < 0)
			return 1;
	}
	if (copies)
		copy();
	puts("ready");
	fflush(stdout);
	stay();
}
