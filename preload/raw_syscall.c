/* SPDX-License-Identifier: MIT */
/*
 * raw_syscall.c - syscall(2): clone, clone3 and fork by number
 *
 * Container runtimes and sandboxes make processes this way. Everything else must
 * be what libc's syscall() is, to the instruction: any number, six arguments,
 * errno, the kernel's result untouched. So it is written in the machine's words:
 * compare the number, and go on. A child that gets a stack of its own returns on
 * it from here as it does from libc's, with nothing of ours in between.
 */
#include <sys/syscall.h>

#include "preload/call.h"
#include "preload/fork.h"

#define TEXT_OF(x) #x
#define NUMBER(x) TEXT_OF(x)

/* Sets errno; the error path of the code below. */
long preload_syscall_failed(long value) __attribute__((visibility("hidden")));
long preload_syscall_failed(long value)
{
	return call_value(value);
}

/* The last two arguments of five are enough for every call that makes a process. */
long preload_syscall_forks(long number, long a, long b, long c, long d, long e)
	__attribute__((visibility("hidden")));
long preload_syscall_forks(long number, long a, long b, long c, long d, long e)
{
	return preload_fork_raw(number, a, b, c, d, e);
}

long preload_syscall_is_fork(long number, long a, long b) __attribute__((visibility("hidden")));
long preload_syscall_is_fork(long number, long a, long b)
{
	return preload_fork_is_raw(number, a, b);
}

#if defined(__x86_64__)
__asm__(".text\n"
	".globl syscall\n"
	".type syscall, @function\n"
	".p2align 4\n"
	"syscall:\n"
	"	.cfi_startproc\n"
	"	cmpq $" NUMBER(__NR_clone) ", %rdi\n"
	"	je 2f\n"
	"	cmpq $" NUMBER(__NR_fork) ", %rdi\n"
	"	je 2f\n"
	"	cmpq $" NUMBER(__NR_clone3) ", %rdi\n"
	"	je 2f\n"
	"1:	movq %rdi, %rax\n"
	"	movq %rsi, %rdi\n"
	"	movq %rdx, %rsi\n"
	"	movq %rcx, %rdx\n"
	"	movq %r8, %r10\n"
	"	movq %r9, %r8\n"
	"	movq 8(%rsp), %r9\n"
	"	syscall\n"
	"	cmpq $-4095, %rax\n"
	"	jae 3f\n"
	"	ret\n"
	"3:	movq %rax, %rdi\n"
	"	jmp preload_syscall_failed\n"
	"2:	pushq %rdi\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	pushq %rsi\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	pushq %rdx\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	pushq %rcx\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	pushq %r8\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	pushq %r9\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	subq $8, %rsp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	call preload_syscall_is_fork\n"
	"	addq $8, %rsp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	popq %r9\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	popq %r8\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	popq %rcx\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	popq %rdx\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	popq %rsi\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	popq %rdi\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	testb %al, %al\n"
	"	je 1b\n"
	"	jmp preload_syscall_forks\n"
	"	.cfi_endproc\n"
	".size syscall, . - syscall\n");
#elif defined(__aarch64__)
__asm__(".text\n"
	".globl syscall\n"
	".type syscall, %function\n"
	".p2align 4\n"
	"syscall:\n"
	"	.cfi_startproc\n"
	"	cmp x0, #" NUMBER(__NR_clone) "\n"
	"	b.eq 2f\n"
	"	cmp x0, #" NUMBER(__NR_clone3) "\n"
	"	b.eq 2f\n"
	"1:	uxtw x8, w0\n"
	"	mov x0, x1\n"
	"	mov x1, x2\n"
	"	mov x2, x3\n"
	"	mov x3, x4\n"
	"	mov x4, x5\n"
	"	mov x5, x6\n"
	"	mov x6, x7\n"
	"	svc #0\n"
	"	cmn x0, #4095\n"
	"	b.cs 3f\n"
	"	ret\n"
	"3:	b preload_syscall_failed\n"
	"2:	stp x29, x30, [sp, #-80]!\n"
	"	.cfi_adjust_cfa_offset 80\n"
	"	.cfi_rel_offset x29, 0\n"
	"	.cfi_rel_offset x30, 8\n"
	"	stp x0, x1, [sp, #16]\n"
	"	stp x2, x3, [sp, #32]\n"
	"	stp x4, x5, [sp, #48]\n"
	"	stp x6, x7, [sp, #64]\n"
	"	bl preload_syscall_is_fork\n"
	"	mov x9, x0\n"
	"	ldp x0, x1, [sp, #16]\n"
	"	ldp x2, x3, [sp, #32]\n"
	"	ldp x4, x5, [sp, #48]\n"
	"	ldp x6, x7, [sp, #64]\n"
	"	ldp x29, x30, [sp], #80\n"
	"	.cfi_adjust_cfa_offset -80\n"
	"	.cfi_restore x29\n"
	"	.cfi_restore x30\n"
	"	cbz x9, 1b\n"
	"	b preload_syscall_forks\n"
	"	.cfi_endproc\n"
	".size syscall, . - syscall\n");
#endif
