/* What vectors this CPU has and the system saves. It is asked itself: __builtin_cpu_supports answers
no to everything in what zig compiles, whose libraries leave out what would ask. */

#ifndef BRUSHREEL_CPU_H
#define BRUSHREEL_CPU_H

#ifdef __x86_64__
#include <cpuid.h>

enum cpu_vectors { CPU_PLAIN, CPU_AVX2, CPU_AVX512, CPU_AVX512_BF16 };

/* Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID and XGETBV. */
static inline enum cpu_vectors cpu_asked(void) {
    const unsigned osxsave = 1u << 27, avx2 = 1u << 5, bf16 = 1u << 5;
    const unsigned avx512_f_dq_bw_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    const unsigned saves_ymm = 0x6, saves_zmm = 0xE6;
    unsigned a, b, c, d, saved, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & osxsave)) return CPU_PLAIN;
    __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & avx2) || (saved & saves_ymm) != saves_ymm)
        return CPU_PLAIN;
    if ((b & avx512_f_dq_bw_vl) != avx512_f_dq_bw_vl || (saved & saves_zmm) != saves_zmm)
        return CPU_AVX2;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bf16) ? CPU_AVX512_BF16 : CPU_AVX512;
}

static inline enum cpu_vectors cpu_vectors(void) {
    static int known = -1; /* asking takes microseconds in a virtual machine */
    if (known < 0) known = cpu_asked();
    return (enum cpu_vectors)known;
}
#endif

#endif
