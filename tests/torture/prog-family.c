/* SPDX-License-Identifier: MIT */
/*
 * prog-family.c - prog-family SEED ROUNDS [MIB]: a process that has memory, children and
 *                 grandchildren, and segments they share
 *
 * Each child finds the memory of the moment of its fork, writes all of it, and has a
 * child that does the same; the parent writes meanwhile. A segment is written by
 * the child and read by the parent. Says a sum that depends on the seed alone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEP 4096u
#define SEGMENT (6u << 20)

static uint64_t state, sum;
static size_t memory_bytes = (size_t)14 << 20;

static _Noreturn void wrong(const char *what)
{
	fprintf(stderr, "prog-family: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static uint32_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static void write_all(char *at, size_t bytes, uint32_t with)
{
	for (size_t i = 0; i < bytes; i += STEP)
		*(uint32_t *)(at + i) = with + (uint32_t)i;
}

static void hold_all(const char *at, size_t bytes, uint32_t with, const char *who)
{
	for (size_t i = 0; i < bytes; i += STEP)
		if (*(const uint32_t *)(at + i) != with + (uint32_t)i) {
			errno = 0;
			wrong(who);
		}
}

static void wait_for(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status != 0) {
		fprintf(stderr, "prog-family: a child ended with %x\n", status);
		_exit(1);
	}
}

static void be_child(char *memory, char *heap, uint32_t with, int generation)
{
	hold_all(memory, memory_bytes, with, "a child's memory");
	hold_all(heap, memory_bytes, with, "a child's heap");
	write_all(memory, memory_bytes, with * 3);
	if (generation < 2) {
		pid_t pid = fork();

		if (pid < 0)
			wrong("fork");
		if (pid == 0) {
			write_all(heap, memory_bytes, with);
			write_all(memory, memory_bytes, with);
			be_child(memory, heap, with, generation + 1);
			_exit(0);
		}
		write_all(heap, memory_bytes, with * 5);
		wait_for(pid);
		hold_all(heap, memory_bytes, with * 5, "a child's heap, after its child");
	}
	hold_all(memory, memory_bytes, with * 3, "a child's own writes");
}

static void one_round(char *memory, char *heap)
{
	int id = shmget(IPC_PRIVATE, SEGMENT, IPC_CREAT | 0600);
	char *segment = id < 0 ? (char *)-1 : shmat(id, NULL, 0);
	int refused = segment == (char *)-1 ? errno : 0;
	uint32_t with = draw();
	pid_t pid;

	/* Refused or not, the segment must not outlive us. */
	if (id >= 0 && shmctl(id, IPC_RMID, NULL) != 0 && shmctl(id, IPC_RMID, NULL) != 0)
		wrong("a segment that stays");
	errno = refused;
	if (refused)
		wrong("a segment");
	write_all(memory, memory_bytes, with);
	write_all(heap, memory_bytes, with);
	write_all(segment, SEGMENT / 2, with);
	pid = fork();
	if (pid < 0)
		wrong("fork");
	if (pid == 0) {
		be_child(memory, heap, with, 0);
		hold_all(segment, SEGMENT / 2, with, "a child's segment");
		write_all(segment, SEGMENT, with + 1);
		_exit(0);
	}
	write_all(memory, memory_bytes / 2, with + 7);
	write_all(heap, memory_bytes / 2, with + 7);
	wait_for(pid);
	hold_all(memory, memory_bytes / 2, with + 7, "the parent's memory");
	hold_all(heap, memory_bytes / 2, with + 7, "the parent's heap");
	hold_all(segment, SEGMENT, with + 1, "the parent's segment");
	sum = sum * 31 + *(uint32_t *)(segment + SEGMENT - STEP);
	if (shmdt(segment) != 0)
		wrong("shmdt");
}

int main(int argc, char **argv)
{
	long rounds = argc > 2 ? strtol(argv[2], NULL, 0) : 10;

	state = (argc > 1 ? strtoul(argv[1], NULL, 0) : 1) * 2654435761u + 88172645463325252u;
	if (argc > 3)
		memory_bytes = strtoul(argv[3], NULL, 0) << 20;
	while (rounds--) {
		char *memory = mmap(NULL, memory_bytes, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		char *heap = malloc(memory_bytes);

		if (memory == MAP_FAILED || !heap)
			wrong("memory");
		one_round(memory, heap);
		free(heap);
		munmap(memory, memory_bytes);
	}
	printf("sum %llx\n", (unsigned long long)sum);
	return 0;
}
