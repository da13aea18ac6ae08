/* SPDX-License-Identifier: MIT */
/*
 * prog-full.c - a program that has as many mappings as the kernel allows, and goes on
 *
 * Memory it has stays what it is; what needs one more mapping may be refused, with ENOMEM
 * and nothing changed; the heap lives; a child is the parent's copy; and when the
 * mappings are gone everything works again. Says "right", and what was refused to
 * standard error.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define BLOCKS 64
#define MEMORY (12 * MIB)

static size_t page;

static _Noreturn void wrong(const char *what)
{
	fprintf(stderr, "prog-full: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void *map(size_t bytes, int prot)
{
	return mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static void fill(char *at, size_t bytes, uint32_t with)
{
	for (size_t i = 0; i < bytes; i += page)
		*(uint32_t *)(at + i) = with + (uint32_t)i;
}

static void hold(const char *at, size_t bytes, uint32_t with, const char *what)
{
	errno = 0;
	for (size_t i = 0; i < bytes; i += page)
		if (*(const uint32_t *)(at + i) != with + (uint32_t)i)
			wrong(what);
}

/* Every second page of @area gets another protection, until there is no more room. */
static size_t use_up(char *area, size_t bytes)
{
	size_t n = 0;

	for (size_t i = 0; i < bytes; i += 2 * page, n++)
		if (mprotect(area + i, page, PROT_READ) != 0)
			break;
	if (errno != ENOMEM)
		wrong("there is room for all");
	return n;
}

/* 0, or refused and said so; anything else is wrong. */
static int may(int status, const char *what)
{
	if (status == 0)
		return 0;
	if (errno != ENOMEM)
		wrong(what);
	fprintf(stderr, "refused: %s\n", what);
	return -1;
}

static void use_heap(void)
{
	char *blocks[BLOCKS] = { NULL };

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < BLOCKS; i++) {
			size_t bytes = (i + 1) * 3000;
			char *more = realloc(blocks[i], bytes);

			if (!more)
				continue;
			blocks[i] = more;
			memset(more, (int)i, bytes);
		}
		for (size_t i = 0; i < BLOCKS; i += 3) {
			free(blocks[i]);
			blocks[i] = NULL;
		}
	}
	for (size_t i = 0; i < BLOCKS; i++) {
		if (blocks[i] && (blocks[i][0] != (char)i || blocks[i][2999] != (char)i))
			wrong("the heap");
		free(blocks[i]);
	}
}

/* Each call that would need mappings, on memory of which every page is known. */
static void use_memory(char *at)
{
	char *more;

	if (may(munmap(at + 3 * MIB, MIB / 2), "munmap of a part") == 0) {
		hold(at, 3 * MIB, 1, "in front of what was unmapped");
		hold(at + 7 * MIB / 2, MEMORY - 7 * MIB / 2, 1 + 7 * MIB / 2, "behind it");
	} else {
		hold(at, MEMORY, 1, "what was not unmapped");
	}
	if (may(mprotect(at + 8 * MIB + page, page, PROT_READ), "mprotect of a page") == 0)
		may(mprotect(at + 8 * MIB + page, page, PROT_READ | PROT_WRITE), "mprotect back");
	hold(at + 7 * MIB, MEMORY - 7 * MIB, 1 + 7 * MIB, "what was protected");
	may(madvise(at + 9 * MIB, MIB, MADV_DONTNEED), "MADV_DONTNEED");
	more = map(5 * MIB, PROT_READ | PROT_WRITE);
	may(more == MAP_FAILED ? -1 : 0, "mmap");
	if (more != MAP_FAILED) {
		fill(more, 5 * MIB, 7);
		hold(more, 5 * MIB, 7, "what was mapped");
		may(munmap(more, 5 * MIB), "munmap");
	}
}

static void be_child(char *at)
{
	hold(at + 10 * MIB, MEMORY - 10 * MIB, 1 + 10 * MIB, "the child's memory");
	fill(at + 10 * MIB, MEMORY - 10 * MIB, 5);
	use_heap();
	_exit(0);
}

int main(void)
{
	const size_t bytes = (size_t)80000 * 2 * (page = (size_t)sysconf(_SC_PAGESIZE));
	char *area = map(bytes, PROT_READ | PROT_WRITE), *at = map(MEMORY, PROT_READ | PROT_WRITE);
	int status;
	pid_t pid;

	if (area == MAP_FAILED || at == MAP_FAILED)
		wrong("mmap");
	fill(at, MEMORY, 1);
	use_heap();
	use_up(area, bytes);
	use_heap();
	use_memory(at);
	pid = fork();
	if (pid == 0)
		be_child(at);
	if (may(pid < 0 ? -1 : 0, "fork") == 0 && (waitpid(pid, &status, 0) != pid || status != 0)) {
		fprintf(stderr, "prog-full: the child ended with %x\n", (unsigned)status);
		_exit(1);
	}
	hold(at + 10 * MIB, MEMORY - 10 * MIB, 1 + 10 * MIB, "the parent's memory");
	/* All of it goes without one mapping more. */
	if (munmap(area, bytes) != 0)
		wrong("munmap of everything");
	use_heap();
	fill(at, 3 * MIB, 1);
	if (munmap(at, MEMORY) != 0 || (at = map(MEMORY, PROT_READ | PROT_WRITE)) == MAP_FAILED)
		wrong("the same again");
	fill(at, MEMORY, 9);
	hold(at, MEMORY, 9, "what came after");
	puts("right");
	return 0;
}
