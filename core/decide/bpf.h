/* SPDX-License-Identifier: MIT */
/*
 * bpf.h - what a seccomp filter says to a call, whatever the call's arguments are
 */
#ifndef HRESV_CORE_DECIDE_BPF_H
#define HRESV_CORE_DECIDE_BPF_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Does @code let call @nr of this machine pass, or fail with an errno? False: it kills,
 * raises a signal or asks somebody, or that depends on arguments or on the caller's place.
 */
bool bpf_spares(const struct sock_filter *code, size_t n, unsigned nr);

#endif
