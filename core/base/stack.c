/* SPDX-License-Identifier: MIT */
/* stack.c - the pointer changed for the time of a call */
#include "core/base/stack.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/mem.h"

#define STACK_BYTES ((size_t)64 << 10)
/* How far frames of ours reach, and a signal's with all registers. */
#define BELOW ((uintptr_t)32 << 10)
#define ABOVE ((uintptr_t)4 << 10)

/* long stack_call(call, arg, top): nothing is pushed on the old stack while it runs. */
long stack_call(long (*call)(void *arg), void *arg, void *top) __attribute__((visibility("hidden")));

#if defined(__x86_64__)
__asm__(".text\n"
	".hidden stack_call\n"
	".globl stack_call\n"
	".type stack_call, @function\n"
	"stack_call:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	pushq %rbp\n"
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_offset %rbp, -16\n"
	"	movq %rsp, %rbp\n"
	"	.cfi_def_cfa_register %rbp\n"
	"	movq %rdx, %rsp\n"
	"	movq %rdi, %rax\n"
	"	movq %rsi, %rdi\n"
	"	callq *%rax\n"
	"	movq %rbp, %rsp\n"
	"	popq %rbp\n"
	"	.cfi_def_cfa %rsp, 8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size stack_call, . - stack_call\n");
#elif defined(__aarch64__)
__asm__(".text\n"
	".hidden stack_call\n"
	".globl stack_call\n"
	".type stack_call, %function\n"
	"stack_call:\n"
	"	.cfi_startproc\n"
	"	hint #34\n"
	"	stp x29, x30, [sp, #-16]!\n"
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_offset 29, -16\n"
	"	.cfi_offset 30, -8\n"
	"	mov x29, sp\n"
	"	.cfi_def_cfa_register 29\n"
	"	mov sp, x2\n"
	"	mov x9, x0\n"
	"	mov x0, x1\n"
	"	blr x9\n"
	"	mov sp, x29\n"
	"	ldp x29, x30, [sp], #16\n"
	"	.cfi_def_cfa 31, 0\n"
	"	.cfi_restore 29\n"
	"	.cfi_restore 30\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size stack_call, . - stack_call\n");
#endif

/* Frames of callers above, of what is called below. */
static bool lies_in(uintptr_t here, uintptr_t lo, uintptr_t hi)
{
	return here + ABOVE > lo && here < hi + BELOW;
}

/* For when the kernel has no mapping left; one at a time. */
static struct {
	char stack[STACK_BYTES] __attribute__((aligned(16)));
	bool taken;		/* atomic */
} spare;

static long call_elsewhere(long (*call)(void *arg), void *arg)
{
	char *stack = mem_pages(STACK_BYTES);
	long got;

	if (stack) {
		got = stack_call(call, arg, stack + STACK_BYTES);
		mem_pages_free(stack, STACK_BYTES);
		return got;
	}
	if (__atomic_exchange_n(&spare.taken, true, __ATOMIC_ACQUIRE))
		return -ENOMEM;
	got = stack_call(call, arg, spare.stack + STACK_BYTES);
	__atomic_store_n(&spare.taken, false, __ATOMIC_RELEASE);
	return got;
}

struct job {
	void (*run)(void *arg);
	void *arg;
};

static long do_job(void *arg)
{
	const struct job *j = arg;

	j->run(j->arg);
	return 0;
}

int stack_run(void (*run)(void *arg), void *arg)
{
	struct job j = { run, arg };

	return (int)call_elsewhere(do_job, &j);
}

long stack_clear_of(uintptr_t lo, uintptr_t hi, long (*call)(void *arg), void *arg)
{
	if (!lies_in((uintptr_t)__builtin_frame_address(0), lo, hi))
		return call(arg);
	return call_elsewhere(call, arg);
}
