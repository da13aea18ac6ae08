/* SPDX-License-Identifier: MIT */
/* stack.c - the stack pointer changed around one call */
#include "core/base/stack.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/mem.h"

#define STACK_BYTES ((size_t)64 << 10)

void stack_switch(void (*run)(void *arg), void *arg, void *top)
	__attribute__((visibility("hidden")));

#if defined(__x86_64__)
__asm__(".text\n"
	".hidden stack_switch\n"
	".globl stack_switch\n"
	".type stack_switch, @function\n"
	"stack_switch:\n"
	"	.cfi_startproc\n"
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
	".size stack_switch, . - stack_switch\n");
#elif defined(__aarch64__)
__asm__(".text\n"
	".hidden stack_switch\n"
	".globl stack_switch\n"
	".type stack_switch, %function\n"
	"stack_switch:\n"
	"	.cfi_startproc\n"
	"	stp x29, x30, [sp, #-16]!\n"
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_offset x29, -16\n"
	"	.cfi_offset x30, -8\n"
	"	mov x29, sp\n"
	"	.cfi_def_cfa_register x29\n"
	"	mov sp, x2\n"
	"	mov x9, x0\n"
	"	mov x0, x1\n"
	"	blr x9\n"
	"	mov sp, x29\n"
	"	ldp x29, x30, [sp], #16\n"
	"	.cfi_def_cfa sp, 0\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size stack_switch, . - stack_switch\n");
#endif

/* For when the kernel has no mapping left; one at a time. */
static struct {
	char stack[STACK_BYTES] __attribute__((aligned(16)));
	bool taken;		/* atomic */
} spare;

int stack_run(void (*run)(void *arg), void *arg)
{
	char *stack = mem_pages(STACK_BYTES);

	if (stack) {
		stack_switch(run, arg, stack + STACK_BYTES);
		mem_pages_free(stack, STACK_BYTES);
		return 0;
	}
	if (__atomic_exchange_n(&spare.taken, true, __ATOMIC_ACQUIRE))
		return -ENOMEM;
	stack_switch(run, arg, spare.stack + STACK_BYTES);
	__atomic_store_n(&spare.taken, false, __ATOMIC_RELEASE);
	return 0;
}
