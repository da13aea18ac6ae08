/* SPDX-License-Identifier: MIT */
/*
 * syscall.c - syscall(2), by which some libraries make the calls we interpose
 *
 * tcmalloc defines mmap, munmap and mremap itself and goes to the kernel through
 * syscall(). In front of us in LD_PRELOAD, its names are the program's, and this
 * is where its calls come by.
 *
 * Container runtimes and sandboxes make processes this way, by clone and clone3.
 *
 * Pitfalls.
 * 1. The way through is assembly and leaves no frame, as in libc: the child of a
 *    SYS_clone with a stack of its own returns by what lies on that stack.
 * 2. The names called below must be ours, whoever is listed in front of us:
 *    tcmalloc's mmap would come back here. The library is linked so that they are.
 */
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "core/route.h"
#include "preload/call.h"
#include "preload/fork.h"
#include "preload/ioctl.h"
#include "preload/prctl.h"
#include "preload/signal.h"

/* By number: 1 ours, 2 perhaps a fork; what isn't here, or beyond, goes straight to the kernel. */
#define NUMBERS 512
__attribute__((visibility("hidden"))) extern const unsigned char syscall_is_ours[NUMBERS];
__attribute__((used)) const unsigned char syscall_is_ours[NUMBERS] = {
	[SYS_mmap] = 1,		   [SYS_munmap] = 1,	  [SYS_mremap] = 1,
	[SYS_mprotect] = 1,	   [SYS_pkey_mprotect] = 1, [SYS_madvise] = 1,
	[SYS_process_madvise] = 1, [SYS_process_vm_writev] = 1,
	[SYS_mlock] = 1,	   [SYS_mlock2] = 1,
	[SYS_munlock] = 1,	   [SYS_mlockall] = 1,	  [SYS_munlockall] = 1,
	[SYS_msync] = 1,	   [SYS_mbind] = 1,	  [SYS_remap_file_pages] = 1,
	[SYS_prctl] = 1,	   [SYS_shmget] = 1,	  [SYS_shmat] = 1,
	[SYS_shmdt] = 1,	   [SYS_shmctl] = 1,
	[SYS_rt_sigprocmask] = 1, [SYS_unshare] = 1,	  [SYS_setns] = 1,
	[SYS_ioctl] = 1,	   [SYS_seccomp] = 1,
	[SYS_clone] = 2,	   [SYS_clone3] = 2,
#ifdef SYS_fork
	[SYS_fork] = 2,
#endif
#ifdef SYS_set_mempolicy_home_node
	[SYS_set_mempolicy_home_node] = 1,
#endif
};

long mbind(void *at, unsigned long bytes, int mode, const unsigned long *nodes,
	   unsigned long nodes_max, unsigned flags);

/* The arguments are where syscall() got them. */
__attribute__((used, visibility("hidden"))) long syscall_route(long nr, long a, long b, long c,
							       long d, long e, long f);

long syscall_route(long nr, long a, long b, long c, long d, long e, long f)
{
	void *at = (void *)a;
	size_t bytes = (size_t)b;

	switch (nr) {
	case SYS_mmap:
		return (long)mmap(at, bytes, (int)c, (int)d, (int)e, f);
	case SYS_munmap:
		return munmap(at, bytes);
	case SYS_mremap:
		return (long)mremap(at, bytes, (size_t)c, (int)d, (void *)e);
	case SYS_mprotect:
		return mprotect(at, bytes, (int)c);
	case SYS_pkey_mprotect:
		return pkey_mprotect(at, bytes, (int)c, (int)d);
	case SYS_madvise:
		return madvise(at, bytes, (int)c);
	case SYS_process_madvise:
		return process_madvise((int)a, (const struct iovec *)b, (size_t)c, (int)d,
				       (unsigned)e);
	case SYS_process_vm_writev:
		return process_vm_writev((pid_t)a, (const struct iovec *)b, (unsigned long)c,
					 (const struct iovec *)d, (unsigned long)e,
					 (unsigned long)f);
	case SYS_mlock:
		return mlock(at, bytes);
	case SYS_mlock2:
		return mlock2(at, bytes, (unsigned)c);
	case SYS_munlock:
		return munlock(at, bytes);
	case SYS_mlockall:
		return mlockall((int)a);
	case SYS_munlockall:
		return munlockall();
	case SYS_msync:
		return msync(at, bytes, (int)c);
	case SYS_mbind:
		return mbind(at, bytes, (int)c, (const unsigned long *)d, (unsigned long)e,
			     (unsigned)f);
#ifdef SYS_set_mempolicy_home_node
	case SYS_set_mempolicy_home_node:
		if (route_concerns((uintptr_t)at, bytes) &&
		    route_make_small((uintptr_t)at, bytes, false) != 0)
			return call_value(-ENOMEM);
		return call_value(sys_call(nr, a, b, c, d, 0, 0));
#endif
	case SYS_remap_file_pages:
		return remap_file_pages(at, bytes, (int)c, (size_t)d, (int)e);
	case SYS_rt_sigprocmask:
		if (d != sizeof(uint64_t))
			return call_value(-EINVAL);
		return call_value(preload_mask_raw((int)a, (const uint64_t *)b, (uint64_t *)c));
	case SYS_ioctl:
		return call_value(preload_ioctl_raw((int)a, (unsigned long)b, (void *)c));
	case SYS_unshare:
		return unshare((int)a);
	case SYS_setns:
		return setns((int)a, (int)b);
	case SYS_prctl:
		return prctl((int)a, b, c, d, e);
	case SYS_seccomp:
		return call_value(preload_seccomp(a, b, c));
	case SYS_shmget:
		return shmget((key_t)a, bytes, (int)c);
	case SYS_shmat:
		return (long)shmat((int)a, (const void *)b, (int)c);
	case SYS_shmdt:
		return shmdt(at);
	default:
		return shmctl((int)a, (int)b, (struct shmid_ds *)c);
	}
}

/* Shall this call run the fork handlers, and running it with them. */
__attribute__((used, visibility("hidden"))) long syscall_is_fork(long nr, long a, long b);
__attribute__((used, visibility("hidden"))) long syscall_forks(long nr, long a, long b, long c,
							       long d, long e);

long syscall_is_fork(long nr, long a, long b)
{
	return preload_fork_is_raw(nr, a, b);
}

long syscall_forks(long nr, long a, long b, long c, long d, long e)
{
	return preload_fork_raw(nr, a, b, c, d, e);
}

__attribute__((used, visibility("hidden"))) long syscall_failed(long value);

long syscall_failed(long value)
{
	return call_value(value);
}

#define TEXT(x) #x
#define VALUE(x) TEXT(x)

#if defined(__x86_64__)
__asm__(".pushsection .text\n"
	".globl syscall\n"
	".type syscall, @function\n"
	".p2align 4\n"
	"syscall:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	cmpq $" VALUE(NUMBERS) ", %rdi\n"
	"	jae 1f\n"
	"	leaq syscall_is_ours(%rip), %rax\n"
	"	cmpb $1, (%rax, %rdi)\n"
	"	je syscall_route\n"
	"	ja 3f\n"
	"1:	movq %rdi, %rax\n"
	"	movq %rsi, %rdi\n"
	"	movq %rdx, %rsi\n"
	"	movq %rcx, %rdx\n"
	"	movq %r8, %r10\n"
	"	movq %r9, %r8\n"
	"	movq 8(%rsp), %r9\n"
	"	syscall\n"
	"	cmpq $-4095, %rax\n"
	"	jae 2f\n"
	"	ret\n"
	"2:	movq %rax, %rdi\n"
	"	jmp syscall_failed\n"
	"3:	pushq %rdi\n"
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
	"	call syscall_is_fork\n"
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
	"	jmp syscall_forks\n"
	"	.cfi_endproc\n"
	".size syscall, .-syscall\n"
	".popsection\n");
#elif defined(__aarch64__)
__asm__(".pushsection .text\n"
	".globl syscall\n"
	".type syscall, %function\n"
	".p2align 4\n"
	"syscall:\n"
	"	.cfi_startproc\n"
	"	hint #34\n"
	"	cmp x0, #" VALUE(NUMBERS) "\n"
	"	b.hs 1f\n"
	"	adrp x8, syscall_is_ours\n"
	"	add x8, x8, #:lo12:syscall_is_ours\n"
	"	ldrb w8, [x8, x0]\n"
	"	cbz w8, 1f\n"
	"	cmp w8, #1\n"
	"	b.ne 3f\n"
	"	b syscall_route\n"
	"1:	mov x8, x0\n"
	"	mov x0, x1\n"
	"	mov x1, x2\n"
	"	mov x2, x3\n"
	"	mov x3, x4\n"
	"	mov x4, x5\n"
	"	mov x5, x6\n"
	"	svc 0\n"
	"	cmn x0, #4095\n"
	"	b.cs 2f\n"
	"	ret\n"
	"2:	b syscall_failed\n"
	"3:	stp x29, x30, [sp, #-80]!\n"
	"	.cfi_adjust_cfa_offset 80\n"
	"	.cfi_rel_offset x29, 0\n"
	"	.cfi_rel_offset x30, 8\n"
	"	stp x0, x1, [sp, #16]\n"
	"	stp x2, x3, [sp, #32]\n"
	"	stp x4, x5, [sp, #48]\n"
	"	stp x6, x7, [sp, #64]\n"
	"	bl syscall_is_fork\n"
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
	"	b syscall_forks\n"
	"	.cfi_endproc\n"
	".size syscall, .-syscall\n"
	".popsection\n");
#endif
