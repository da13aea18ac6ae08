/* SPDX-License-Identifier: MIT */
/*
 * dlopen.c - one malloc for all, whichever way its name is looked up
 *
 * libc's own functions allocate by our malloc (strdup, getline). Who finds libc's free
 * instead of ours aborts with what they return: a library opened with RTLD_DEEPBIND, which
 * looks in its own libraries first, and dlsym() of a handle of libc, as language bindings do.
 * So before anything is opened libc's table of symbols says of malloc and its kin what the
 * loader says to everybody else: ours. The flag keeps its meaning for all other names.
 *
 * Pitfalls.
 * 1. dlopen() looks at its return address for the caller's search path and namespace: it
 *    is jumped to.
 * 2. All names or none: a malloc of one heap and a free of the other is what must not be.
 * 3. Where a program has a malloc of its own, or ours passes on to the next, that is looked
 *    up by these names: it has been, before they change.
 */
#include <elf.h>
#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/facts/conf.h"
#include "preload/call.h"
#include "preload/real.h"

static const char *const names[] = {
	"malloc", "free", "calloc", "realloc", "reallocarray", "memalign", "aligned_alloc",
	"posix_memalign", "valloc", "pvalloc", "malloc_usable_size", "free_sized",
	"free_aligned_sized",
};

#define NAMES (sizeof(names) / sizeof(names[0]))

struct change {
	ElfW(Addr) *value;	/* in libc's table */
	ElfW(Addr) ours;
};

/* All that is changed, and the pages it lies in. */
struct changes {
	struct change of[NAMES];
	size_t n;
	uintptr_t lo, hi;
	int prot;
};

static struct {
	void *real;
	bool begun;		/* atomic */
} opening;

/* What the pages at @at of a library are, by its program headers; -1: nobody says. */
static int prot_of(const struct link_map *map, uintptr_t at)
{
	const ElfW(Ehdr) *head = (const ElfW(Ehdr) *)map->l_addr;
	const ElfW(Phdr) *p;

	if (__builtin_memcmp(head->e_ident, ELFMAG, SELFMAG) != 0)
		return -1;
	p = (const ElfW(Phdr) *)(map->l_addr + head->e_phoff);
	for (int i = 0; i < head->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && at - map->l_addr >= p[i].p_vaddr &&
		    at - map->l_addr - p[i].p_vaddr < p[i].p_memsz)
			return (p[i].p_flags & PF_R ? PROT_READ : 0) |
			       (p[i].p_flags & PF_W ? PROT_WRITE : 0) |
			       (p[i].p_flags & PF_X ? PROT_EXEC : 0);
	return -1;
}

/* The library that has libc's malloc, behind us; NULL: there, or before us, it isn't. */
static const struct link_map *libc(const struct link_map *mine)
{
	const struct link_map *map = mine->l_next;

	while (map && !real_in(map, "__libc_malloc"))
		map = map->l_next;
	return map;
}

/* The first that has a malloc, which is the one that all the others mean. */
static const struct link_map *first(void)
{
	const struct link_map *map = _r_debug.r_map;

	while (map && !real_in(map, "malloc"))
		map = map->l_next;
	return map;
}

/* False: there is nothing to change, or it isn't known how these pages are protected. */
static bool list(const struct link_map *mine, const struct link_map *theirs, struct changes *c)
{
	const size_t page = mem_page_bytes();

	*c = (struct changes){ .lo = UINTPTR_MAX };
	for (size_t i = 0; i < NAMES; i++) {
		const ElfW(Sym) *here = real_in(mine, names[i]), *there = real_in(theirs, names[i]);
		uintptr_t at;

		if (!here || !there)
			continue;
		at = (uintptr_t)&there->st_value;
		c->of[c->n].value = (ElfW(Addr) *)at;
		c->of[c->n++].ours = mine->l_addr + here->st_value - theirs->l_addr;
		c->lo = align_down(at, page) < c->lo ? align_down(at, page) : c->lo;
		c->hi = align_down(at, page) + page > c->hi ? align_down(at, page) + page : c->hi;
	}
	c->prot = c->n ? prot_of(theirs, c->lo) : -1;
	/* Where a linker put tables and code together they stay: nothing is writable and runs. */
	return c->prot >= 0 && !(c->prot & PROT_EXEC) && prot_of(theirs, c->hi - page) == c->prot;
}

static void be_the_only_malloc(void)
{
	const struct link_map *mine = first(), *theirs;
	struct changes c;

	if (!mine || mine->l_ld != _DYNAMIC)
		return;
	(void)mallinfo2();	/* it is decided whether ours passes on to the next */
	theirs = libc(mine);
	if (!theirs || !list(mine, theirs, &c) ||
	    sys_mprotect(c.lo, c.hi - c.lo, c.prot | PROT_WRITE) != 0)
		return;
	for (size_t i = 0; i < c.n; i++)
		__atomic_store_n(c.of[i].value, c.of[i].ours, __ATOMIC_RELAXED);
	sys_mprotect(c.lo, c.hi - c.lo, c.prot);
}

__attribute__((used, visibility("hidden"))) void *dlopen_real(void);

/* The function behind the name, to jump to; by then there is one malloc. */
void *dlopen_real(void)
{
	const struct conf *conf = conf_get();

	if (!opening.real)
		opening.real = real_behind("dlopen");
	if (conf && conf->active && conf->morecore.on &&
	    !__atomic_exchange_n(&opening.begun, true, __ATOMIC_ACQ_REL))
		be_the_only_malloc();
	return opening.real;
}

#if defined(__x86_64__)
__asm__(".pushsection .text\n"
	".globl dlopen\n"
	".type dlopen, @function\n"
	".p2align 4\n"
	"dlopen:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	pushq %rdi\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	pushq %rsi\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	subq $8, %rsp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	call dlopen_real\n"
	"	addq $8, %rsp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	popq %rsi\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	popq %rdi\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	testq %rax, %rax\n"
	"	je 1f\n"
	"	jmp *%rax\n"
	"1:	ret\n"
	"	.cfi_endproc\n"
	".size dlopen, .-dlopen\n"
	".popsection\n");
#elif defined(__aarch64__)
__asm__(".pushsection .text\n"
	".globl dlopen\n"
	".type dlopen, %function\n"
	".p2align 4\n"
	"dlopen:\n"
	"	.cfi_startproc\n"
	"	hint #34\n"
	"	stp x29, x30, [sp, #-32]!\n"
	"	.cfi_adjust_cfa_offset 32\n"
	"	.cfi_rel_offset x29, 0\n"
	"	.cfi_rel_offset x30, 8\n"
	"	stp x0, x1, [sp, #16]\n"
	"	bl dlopen_real\n"
	"	mov x16, x0\n"
	"	ldp x0, x1, [sp, #16]\n"
	"	ldp x29, x30, [sp], #32\n"
	"	.cfi_adjust_cfa_offset -32\n"
	"	.cfi_restore x29\n"
	"	.cfi_restore x30\n"
	"	cbz x16, 1f\n"
	"	br x16\n"
	"1:	mov x0, #0\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size dlopen, .-dlopen\n"
	".popsection\n");
#endif
