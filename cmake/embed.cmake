# cmake -DFROM=FILE -DTO=FILE.c -DNAME=SYMBOL -P embed.cmake
# A text file as a NUL-terminated array of bytes: any content, no escaping.
file(READ ${FROM} hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
file(WRITE ${TO} "extern const unsigned char ${NAME}[];\nconst unsigned char ${NAME}[] = {${bytes}0};\n")
