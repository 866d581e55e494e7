# The program of the example image: says where it is and ends; with any argument it then waits for SIGTERM or SIGINT.
#
# A whole ELF file for Linux on x86-64, its headers written out, so that the result depends on no linker:
#   as hello.S -o hello.o && objcopy -O binary -j .text hello.o hello

        .set base, 0x400000             # where the file is mapped
        .set sys_write, 1
        .set sys_rt_sigprocmask, 14
        .set sys_exit, 60
        .set sys_rt_sigtimedwait, 128
        .set sig_block, 0

        .text
file:
        .byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0   # 64 bits, little-endian, version 1, System V
        .quad 0
        .short 2, 62                    # executable, x86-64
        .long 1
        .quad base + (start - file)     # entry
        .quad program_header - file
        .quad 0                         # no section headers
        .long 0
        .short 64, 56, 1, 0, 0, 0
program_header:
        .long 1, 5                      # load; read and execute
        .quad 0, base, base
        .quad end - file, end - file, 0x1000

start:
        mov     (%rsp), %rbx            # the number of arguments, the program's name among them
        mov     $sys_write, %eax
        mov     $1, %edi
        lea     message(%rip), %rsi
        mov     $message_end - message, %edx
        syscall
        cmp     $1, %rbx
        jle     done
        # The first process of a container ignores what it does not ask for: block both signals and wait for one.
        mov     $sys_rt_sigprocmask, %eax
        mov     $sig_block, %edi
        lea     signals(%rip), %rsi
        xor     %edx, %edx
        mov     $8, %r10d
        syscall
        mov     $sys_rt_sigtimedwait, %eax
        lea     signals(%rip), %rdi
        xor     %esi, %esi
        xor     %edx, %edx
        mov     $8, %r10d
        syscall
done:
        mov     $sys_exit, %eax
        xor     %edi, %edi
        syscall

signals:
        .quad 0x4002                    # SIGINT is 2, SIGTERM is 15
message:
        .ascii "Hello from the other side of the air gap.\n"
message_end:
end:
