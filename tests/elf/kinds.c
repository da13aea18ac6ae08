/* SPDX-License-Identifier: MIT */
/*
 * kinds.c - a program with every kind of object in each of its segments
 *
 * Built in many ways by test-kinds.sh. Without an argument it computes over all it
 * has, writes to all it may, forks, and says what came out: the same with us as
 * without. "hold": waits to be looked at. "where": for each kind its protection, and if it lies on huge pages.
 * "refused": which writes kill it.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <execinfo.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#ifndef KINDS_STATIC
#include "kinds.h"
#endif

#define MIB (1 << 20)

/* Where a program has no dynamic section, that is NULL. */
extern ElfW(Dyn) _DYNAMIC[] __attribute__((weak));

static char zeros[6 * MIB + 12345];		/* bss that ends inside a page */
static int numbers[MIB] = { 3, 1, 4, [MIB - 1] = 15 };	/* data, 4 MiB */
static const int constants[MIB] = { 2, 7, 1, [MIB - 1] = 8 };	/* constants, 4 MiB */
static __thread int tls_data[100] = { 1, 1, 2, 3, 5 };
static __thread long tls_zero[100];
static int small_data = 4, small_zero;
static const char letter = 'x';

/* Relocated, then read-only: RELRO. */
static int *const pointers[] = { numbers, &numbers[7], &small_data, &small_zero };
static void *volatile where_text;

__asm__(".section .text.filler, \"ax\", %progbits\n.skip 5 << 20, 0\n.previous");

#ifdef KINDS_APART
#define APART(n)                                                                        \
	static int apart##n[1000] __attribute__((section(".apart" #n))) = { n };         \
	static __attribute__((constructor)) void use_apart##n(void) { numbers[n] += apart##n[0]++; }
APART(1) APART(2) APART(3) APART(4) APART(5) APART(6) APART(7) APART(8) APART(9)
#endif

static int one(void) { return 1; }
static int two(void) { return 2; }
static int (*(*volatile chooser)(void))(void);
static int (*resolve_chosen(void))(void) { return two; }
int chosen(void) __attribute__((ifunc("resolve_chosen")));

static __attribute__((constructor)) void early(void)
{
	small_zero = 6;
}

static uint64_t digest(uint64_t sum, const void *from, size_t bytes)
{
	const unsigned char *at = from;
	uint64_t word;

	for (size_t i = 0; i < bytes; i += sizeof(word)) {
		size_t n = bytes - i < sizeof(word) ? bytes - i : sizeof(word);

		word = 0;
		memcpy(&word, at + i, n);
		sum = (sum ^ word) * 1099511628211u;
	}
	return sum;
}

static uint64_t digest_all(void)
{
	uint64_t sum = 14695981039346656037u;

	sum = digest(sum, zeros, sizeof(zeros));
	sum = digest(sum, numbers, sizeof(numbers));
	sum = digest(sum, constants, sizeof(constants));
	sum = digest(sum, tls_data, sizeof(tls_data));
	sum = digest(sum, tls_zero, sizeof(tls_zero));
	return sum + (uint64_t)(small_data * 100 + small_zero * 10 + letter);
}

static __attribute__((noinline)) int functions(void)
{
	int sum = chosen() * 100 + one();

	for (size_t i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++)
		sum = sum * 7 + *pointers[i];
#ifndef KINDS_STATIC
	sum += library_sum(3) + library_data[LIBRARY_WORDS - 1] + library_constant[1] + library_tls;
#endif
	return sum;
}

static void write_all(int seed)
{
	for (size_t i = 0; i < sizeof(zeros); i += 1237)
		zeros[i] += (char)(seed + i);
	for (size_t i = 0; i < MIB; i += 331)
		numbers[i] += seed * (int)i;
	tls_data[0] += seed;
	tls_zero[99] += seed;
	small_data += seed;
	small_zero -= seed;
#ifndef KINDS_STATIC
	library_zero[7] += seed;
	library_data[9] -= seed;
#endif
}

static int in_thread(void *arg)
{
	(void)arg;
	tls_data[1]++;
	return tls_data[0] * 1000 + tls_data[1];
}

static int count_objects(struct dl_phdr_info *info, size_t bytes, void *arg)
{
	(void)bytes;
	if (info->dlpi_addr <= (uintptr_t)&small_data)
		++*(int *)arg;
	return 0;
}

static void say_all(const char *who)
{
	printf("%s: %016llx %d\n", who, (unsigned long long)digest_all(), functions());
	fflush(stdout);
}

static int compute(void)
{
	void *frames[16];
	int in = 0, status;
	thrd_t thread;
	pid_t child;

	say_all("start");
	write_all(3);
	thrd_create(&thread, in_thread, NULL);
	thrd_join(thread, &in);
	printf("thread %d\n", in);
	say_all("written");
	child = fork();
	if (child == 0) {
		write_all(5);
		say_all("child");
		_exit(0);
	}
	write_all(-2);
	waitpid(child, &status, 0);
	say_all("parent");
	dl_iterate_phdr(count_objects, &in);
	printf("child %d, frames %s, objects %s\n", status, backtrace(frames, 16) > 1 ? "yes" : "no",
	       in > 0 ? "yes" : "no");
	return 0;
}

/* "rw-p huge 8": protection, page size, and for the programs that look for it, MiB. */
static void say_where(const char *kind, const void *object)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long lo, hi, kb = 0;
	char line[4096], prot[8] = "none", seen[8];
	int in = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %4s", &lo, &hi, seen) == 3) {
			in = lo <= (uintptr_t)object && (uintptr_t)object < hi;
			if (in)
				strcpy(prot, seen);
		}
		if (in)
			sscanf(line, "KernelPageSize: %lu", &kb);
	}
	if (f)
		fclose(f);
	printf("%s %s %s\n", kind, prot, kb > 64 ? "huge" : "small");
}

static int where(void)
{
	say_where("text", (const void *)one);
	say_where("constants", &constants[MIB / 2]);
	say_where("letter", &letter);
	say_where("relro", _DYNAMIC);
	say_where("data", &numbers[MIB / 2]);
	say_where("bss", &zeros[3 * MIB]);
	say_where("small_zero", &small_zero);
#ifndef KINDS_STATIC
	say_where("library_text", library_text());
	say_where("library_bss", library_bss());
#endif
	return 0;
}

static void try_write(const char *kind, const void *object)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		*(volatile char *)(uintptr_t)object = 1;
		_exit(0);
	}
	waitpid(child, &status, 0);
	printf("%s %s\n", kind, WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "written");
}

static int refused(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	try_write("text", (const void *)one);
	try_write("constants", &constants[MIB / 2]);
	try_write("relro", _DYNAMIC);
	try_write("data", &numbers[MIB / 2]);
	try_write("bss", &zeros[3 * MIB]);
	return 0;
}

/* What a program does to its own memory: 4 KiB at a time, as on small pages. */
static int abused(void)
{
	volatile char *page = (char *)(((uintptr_t)&zeros[3 * MIB] + 8191) & ~4095ul);
	volatile int *number = (int *)(((uintptr_t)&numbers[MIB / 2] + 8191) & ~4095ul);
	volatile char *text = (char *)((uintptr_t)one & ~4095ul);

	write_all(1);
	memset((char *)page, 1, 8192);
	*number = 5;
	printf("bss %d", mprotect((char *)page, 4096, PROT_READ));
	printf(" %d", madvise((char *)page + 4096, 4096, MADV_DONTNEED));
	printf(" %d %d", page[4095], page[4096]);
	printf(" %d\n", mprotect((char *)page, 4096, PROT_READ | PROT_WRITE));
	printf("data %d", madvise((void *)number, 4096, MADV_DONTNEED));
	printf(" %d %d\n", *number, number[1023]);
	printf("text %d", madvise((void *)text, 4096, MADV_DONTNEED));
	printf(" %d", mprotect((char *)text, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
	text[0] = text[0];
	printf(" %d", mprotect((char *)text, 4096, PROT_READ | PROT_EXEC));
	printf(" %d\n", one());
	say_all("abused");
	return 0;
}

static __attribute__((noinline)) int hold(void)
{
	puts("holding");
	fflush(stdout);
	return pause();
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	where_text = (void *)main;
	chooser = resolve_chosen;
	if (strcmp(what, "where") == 0)
		return where();
	if (strcmp(what, "hold") == 0)
		return hold();
	if (strcmp(what, "refused") == 0)
		return refused();
	if (strcmp(what, "abused") == 0)
		return abused();
	return compute();
}
