plugins {
    id("com.android.application")
    id("org.jetbrains.kotlin.android")
}

android {
    namespace = "io.github.nst"
    compileSdk = 36
    defaultConfig {
        applicationId = "io.github.nst"
        minSdk = 28 // ImageDecoder.
        targetSdk = 36
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
    kotlin { jvmToolchain(17) }
    androidResources { noCompress += "tflite" }
}

dependencies {
    implementation("androidx.activity:activity-ktx:1.11.0")
    implementation("com.google.ai.edge.litert:litert:2.3.0")
    implementation("com.google.ai.edge.litert:litert-gpu:2.3.0")
}
